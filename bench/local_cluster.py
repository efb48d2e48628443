"""`magnetar cluster run` as a server under test."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.processes import ServerProcess
from bench.servers import START_TIMEOUT_S, Server, magnetar_command
from bench.zookeeper_home import zookeeper_home


class LocalCluster(Server):
    """Brokers, bookies and a ZooKeeper; `port` is the first broker's.

    Args:
        settings: of the brokers.
    """

    name = "cluster"

    def __init__(
        self, directory: Path, brokers: int, bookies: int, settings: Mapping[str, str]
    ) -> None:
        super().__init__(directory, settings)
        self._sizes = brokers, bookies
        self.facts: dict[str, Any] = {}
        self._lines_seen = 0

    def _command(self) -> list[str]:
        brokers, bookies = self._sizes
        command = [*magnetar_command(), "cluster", "run", "-o", "json"]
        command += ["--data-dir", str(self.data_directory)]
        command += ["--brokers", str(brokers), "--bookies", str(bookies)]
        for key, value in self.settings.items():
            command += ["--set-broker", f"{key}={value}"]
        return command

    def _environment(self) -> dict[str, str]:
        home = self.directory / "zookeeper-home"
        return {
            "ZOOKEEPER_HOME": str(home if home.exists() else zookeeper_home(home)),
            # Each of its processes would compile what an installation has compiled.
            "PYTHONDONTWRITEBYTECODE": "",
        }

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        self.facts = json.loads(process.wait_for_line('"ready"', timeout_s))
        self.port = self.ports()[0]

    def ports(self) -> list[int]:
        """Of the brokers."""
        urls: str = self.facts["urls"][0]
        return [int(address.rpartition(":")[2]) for address in urls.split(",")]

    def pid(self, name: str) -> int:
        """Of the process that has run under this name from the start."""
        return next(int(row["pid"]) for row in self.facts["processes"] if row["name"] == name)

    def pid_after_restart(self, name: str, timeout_s: float = START_TIMEOUT_S) -> int:
        """Waits until a process that ended is ready again."""
        assert self.process is not None
        line = self.process.wait_for_line(f"{name} is ready again, pid ", timeout_s)
        return int(line.rpartition("pid ")[2].partition('"')[0])
