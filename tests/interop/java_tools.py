"""The Java tools of Apache Pulsar, pointed at a server under test."""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from bench.servers import APACHE, Server

TIMEOUT_S = 180.0


class Outcome(NamedTuple):
    """What a command line of pulsar-admin came to."""

    line: str
    exit_code: int
    output: str


def environment(server: Server, directory: Path) -> dict[str, str]:
    """What the peer script needs to reach a server, with its files in a directory."""
    directory.mkdir(exist_ok=True)
    return {
        **os.environ,
        "PULSAR_WEB": f"{server.web_url}/",
        "PULSAR_URL": f"{server.service_url}/",
        "PEERS_DATA": str(directory),
        "PEER_LOG": "error",
    }


def admin_batch(server: Server, directory: Path, lines: list[str]) -> list[Outcome]:
    """Runs command lines of pulsar-admin in one JVM."""
    script = directory / "admin-lines"
    script.write_text("".join(f"{line}\n" for line in lines))
    done = subprocess.run(
        [str(APACHE), "admin-batch", str(script)],
        env=environment(server, directory / "peers"),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    parts = re.split(r"^\$ (.*)\n", done.stdout, flags=re.MULTILINE)[1:]
    outcomes = []
    for line, output in zip(parts[::2], parts[1::2], strict=True):
        text, _, code = output.rpartition("exit ")
        outcomes.append(Outcome(line, int(code), text))
    assert len(outcomes) == len(lines), done.stdout + done.stderr
    return outcomes


def java_program(server: Server, directory: Path, name: str, *args: str) -> subprocess.Popen[str]:
    """Starts one of the programs beside the peer script; its output can be read line by line."""
    return subprocess.Popen(
        [str(APACHE), "java", str(APACHE.parent / f"{name}.java"), *args],
        env=environment(server, directory),
        stdout=subprocess.PIPE,
        text=True,
    )
