"""A session of pulsar-admin: its commands, what Apache Pulsar said, and how to record that again.

python -m tests.interop.admin_session.play      start Apache Pulsar, play, write apache.txt
"""

import json
import re
import tempfile
import urllib.request
from pathlib import Path
from typing import Final

from bench.servers import ApachePulsar, Server
from tests.interop.java_tools import Outcome, admin_batch

HERE: Final = Path(__file__).parent
COMMANDS: Final = HERE / "commands.txt"
RECORDED: Final = HERE / "apache.txt"
TOPIC: Final = "persistent/public/default/session"


def commands() -> dict[int, tuple[str, str]]:
    """Each command by its place, with the reason why its output is not Apache's, if it is not."""
    found: dict[int, tuple[str, str]] = {}
    why = ""
    for line in COMMANDS.read_text().splitlines():
        if line.startswith("# differs: "):
            why = line.removeprefix("# differs: ")
        elif not line.startswith("#"):
            found[len(found)] = (line, why)
            why = ""
    return found


def play(server: Server, directory: Path) -> list[Outcome]:
    """All commands on a server that is new, with three messages in one topic."""
    _ask(server, "PUT", f"/admin/v2/{TOPIC}", {})
    for text in ("one", "two", "three"):
        _ask(server, "POST", f"/topics/{TOPIC}", {"messages": [{"payload": text}]})
    return admin_batch(server, directory, [line for line, _ in commands().values()])


def _ask(server: Server, method: str, path: str, body: object) -> None:
    headers = {"Content-Type": "application/json"}
    data = json.dumps(body).encode()
    request = urllib.request.Request(server.web_url + path, data, headers, method=method)
    urllib.request.urlopen(request, timeout=30).close()


def written(outcomes: list[Outcome]) -> str:
    """What is kept of a session: without ids and times."""
    return "".join(
        f"$ {each.line}\n{general(each.output)}exit {each.exit_code}\n" for each in outcomes
    )


def general(output: str) -> str:
    """An output in which ids and times have no values, and sets (Java's, by chance) an order."""
    text = re.sub(r"\b\d{13}\b", "TIME", output)
    text = re.sub(r"\b\d+:-?\d+\b", "ID", text)
    text = re.sub(r"\[([a-z]+(?:, [a-z]+)+)\]", lambda found: _sorted(found[1]), text)
    return "".join(f"{line}\n" for line in text.splitlines() if line.strip())


def _sorted(names: str) -> str:
    return f"[{', '.join(sorted(names.split(', ')))}]"


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        server = ApachePulsar(Path(directory) / "apache", {})
        server.start()
        try:
            RECORDED.write_text(written(play(server, Path(directory))))
        finally:
            server.kill()


if __name__ == "__main__":
    main()
