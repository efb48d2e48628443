"""Writes what Apache Pulsar answers into the script files: `python -m tests.differential.record`.

With file names (without `.txt`), only those. `--ours` prints how Magnetar differs instead.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Iterable
from pathlib import Path

from bench.servers import ApachePulsar, Magnetar, Server
from tests.differential.player import differences, play_all
from tests.differential.script import ScriptFile, all_files

SETTINGS = {"acknowledgmentAtBatchIndexLevelEnabled": "true"}
"""What both brokers run with: what is on by default in Magnetar."""


def by_settings(files: Iterable[ScriptFile]) -> list[list[ScriptFile]]:
    """Files that can share a broker."""
    groups: dict[tuple[tuple[str, str], ...], list[ScriptFile]] = {}
    for each in files:
        groups.setdefault(tuple(sorted(each.settings.items())), []).append(each)
    return list(groups.values())


def make_server(files: list[ScriptFile], directory: Path, *, ours: bool) -> Server:
    """A broker for files that share one, not started yet."""
    kind = Magnetar if ours else ApachePulsar
    return kind(directory, SETTINGS | files[0].settings)


def _record(files: list[ScriptFile], server: Server) -> None:
    scripts = [script for each in files for script in each.scripts]
    came = asyncio.run(play_all(server, scripts, ours=False, recording=True))
    for script, steps in zip(scripts, came, strict=True):
        for step, replies in zip(script.steps, steps, strict=True):
            step.replies = replies
    for each in files:
        each.path.write_text(each.text())
    print(f"recorded {len(scripts)} scripts")


def _compare(files: list[ScriptFile], server: Server) -> None:
    scripts = [script for each in files for script in each.scripts]
    came = asyncio.run(play_all(server, scripts, ours=True))
    pairs = zip(scripts, came, strict=True)
    found = [differences(script, steps, ours=True) for script, steps in pairs]
    for lines in filter(None, found):
        print("\n".join(lines))
    print(f"{sum(map(bool, found))} of {len(scripts)} scripts differ")


def main() -> None:
    """Record, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--ours", action="store_true")
    arguments = parser.parse_args()
    files = [f for f in all_files() if not arguments.names or f.path.stem in arguments.names]
    for group in by_settings(files):
        with tempfile.TemporaryDirectory() as directory:
            server = make_server(group, Path(directory), ours=arguments.ours)
            server.start()
            try:
                (_compare if arguments.ours else _record)(group, server)
            finally:
                server.kill()


if __name__ == "__main__":
    main()
