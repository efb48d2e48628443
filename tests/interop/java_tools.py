"""The Java tools of Apache Pulsar, pointed at a server under test."""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from bench.servers import APACHE, Server

TIMEOUT_S = 600.0


class Outcome(NamedTuple):
    """What a command line came to."""

    line: str
    exit_code: int
    output: str


def environment(server: Server, directory: Path, *, by_http: bool = False) -> dict[str, str]:
    """What the peer script needs to reach a server, with its files in a directory.

    Args:
        by_http: lookups go to the HTTP service, not to the binary one.
    """
    directory.mkdir(exist_ok=True)
    return {
        **os.environ,
        "PULSAR_WEB": f"{server.web_url}/",
        "PULSAR_URL": f"{server.web_url if by_http else server.service_url}/",
        "PEERS_DATA": str(directory),
        "PEER_LOG": "error",
    }


def admin_batch(server: Server, directory: Path, lines: list[str]) -> list[Outcome]:
    """Runs command lines of pulsar-admin in one JVM."""
    return _batch(server, directory, "admin-batch", lines)


def client_batch(
    server: Server, directory: Path, lines: list[str], *, by_http: bool = False
) -> list[Outcome]:
    """Runs command lines of pulsar-client in one JVM."""
    return _batch(server, directory, "client-batch", lines, by_http=by_http)


def _batch(
    server: Server, directory: Path, kind: str, lines: list[str], *, by_http: bool = False
) -> list[Outcome]:
    script = directory / f"{kind}-lines"
    script.write_text("".join(f"{line}\n" for line in lines))
    done = subprocess.run(
        [str(APACHE), kind, str(script)],
        env=environment(server, directory / "peers", by_http=by_http),
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


def tool(server: Server, directory: Path, *args: str, by_http: bool = False) -> str:
    """Runs a command line tool, such as `perf`, to its end; what it printed and logged."""
    done = subprocess.run(
        [str(APACHE), *args],
        env={**environment(server, directory, by_http=by_http), "PEER_LOG": "info"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout
