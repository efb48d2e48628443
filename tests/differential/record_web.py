"""Writes what Apache Pulsar answers into `websocket.txt`.

    python -m tests.differential.record_web

`--ours` prints how Magnetar differs instead; `--port` uses a broker that runs already.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

from bench.servers import ApachePulsar, Magnetar, Server
from tests.differential.web_player import SCRIPT, WebPlayer, expected, read_script, write_script

SETTINGS = {"acknowledgmentAtBatchIndexLevelEnabled": "true"}


def differences(server: Server, *, recording: bool = False, ours: bool = False) -> list[str]:
    """How the answers of a broker differ from the script, or write them into it."""
    steps = read_script(SCRIPT.read_text())
    found = asyncio.run(WebPlayer(server, recording=recording, ours=ours).play(steps))
    lines = []
    for step, came in zip(steps, found, strict=True):
        if recording:
            step.replies = came
        elif came != expected(step, ours=ours):
            lines += [step.line, *(f"  - {each}" for each in expected(step, ours=ours))]
            lines += [f"  + {each}" for each in came]
    if recording:
        SCRIPT.write_text(write_script(steps))
    return lines


def main() -> None:
    """Record, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", action="store_true")
    parser.add_argument("--port", type=int, help="the HTTP port of a broker that runs already")
    arguments = parser.parse_args()
    kind = Magnetar if arguments.ours else ApachePulsar
    with tempfile.TemporaryDirectory() as directory:
        server = kind(Path(directory), SETTINGS)
        if arguments.port:
            server.web_port = arguments.port
            print("\n".join(differences(server, recording=not arguments.ours, ours=arguments.ours)))
            return
        server.start()
        try:
            print("\n".join(differences(server, recording=not arguments.ours, ours=arguments.ours)))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
