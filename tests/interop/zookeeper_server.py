"""The real Apache ZooKeeper as a server that a test starts, stops and starts again."""

import socket
import time
from pathlib import Path

from bench.errors import ServerError
from bench.processes import POLL_INTERVAL_S, ServerProcess
from bench.servers import APACHE, HOST, Server

TICK_MS = 200
"""A session lasts 2 to 20 ticks, so here from 0.4 to 4 s unless a test asks for other ticks."""


class ApacheZooKeeper(Server):
    """One ZooKeeper server from Maven Central; `port` stays the same over restarts."""

    name = "zookeeper"

    def __init__(self, directory: Path, tick_ms: int = TICK_MS) -> None:
        super().__init__(directory)
        self.tick_ms = tick_ms

    @property
    def hosts(self) -> str:
        """What clients connect to."""
        return f"{HOST}:{self.port}"

    def _command(self) -> list[str]:
        return [str(APACHE), "zookeeper", str(self.port)]

    def _environment(self) -> dict[str, str]:
        return {
            "PEERS_DATA": str(self.data_directory),
            "PEER_ZK_TICK_MS": str(self.tick_ms),
            "PEER_LOG": "warn",
        }

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        while self.four_letters("ruok") != "imok":
            process.check_alive()
            if time.monotonic() > deadline_s:
                raise ServerError(f"ZooKeeper is not ready:\n{process.output()[-3000:]}")
            time.sleep(POLL_INTERVAL_S)

    def four_letters(self, word: str) -> str:
        """The answer to a command as `ruok` or `stat`; empty if nobody answers."""
        try:
            with socket.create_connection((HOST, self.port), timeout=5) as connection:
                connection.sendall(word.encode())
                answer = b""
                while chunk := connection.recv(65536):
                    answer += chunk
        except OSError:
            return ""
        return answer.decode()
