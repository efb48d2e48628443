"""`magnetar bookie` processes in the cluster of an Apache ZooKeeper."""

import urllib.request
from pathlib import Path

from bench.processes import ServerProcess
from bench.servers import HOST, Server, magnetar_command


class MagnetarBookie(Server):
    """One bookie; its ports stay the same over restarts.

    Attributes:
        bookie_id: what it is called in ledgers; empty until it was started if it chooses.
    """

    name = "bookie"

    def __init__(self, directory: Path, zookeeper: str, *, named: bool) -> None:
        """Args: `named` gives it HOST:PORT as its id, as Apache's have; else it has its own."""
        super().__init__(directory)
        self._zookeeper = zookeeper
        self.bookie_id = f"{HOST}:{self.port}" if named else ""

    def _command(self) -> list[str]:
        base = self.data_directory
        keys = {
            "bookiePort": self.port,
            "bookieId": self.bookie_id,
            "advertisedAddress": HOST,
            "metadataServiceUri": f"zk+hierarchical://{self._zookeeper}/ledgers",
            "journalDirectories": f"{base}/journal",
            "ledgerDirectories": f"{base}/ledgers-1,{base}/ledgers-2",
            "journalMaxSizeMB": 16,
            "dbStorage_writeCacheMaxSizeMb": 16,
            "diskUsageThreshold": 0.99,
            "diskUsageWarnThreshold": 0.98,
            "zkTimeout": 4000,
            "httpServerEnabled": "true",
            "httpServerPort": self.web_port,
            "autoRecoveryDaemonEnabled": "false",
            **self.settings,
        }
        conf = self.directory / "bookkeeper.conf"
        conf.write_text("".join(f"{key}={value}\n" for key, value in keys.items()))
        return [*magnetar_command(), "bookie", "--config", str(conf)]

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        line = process.wait_for_line("magnetar bookie ready in ", timeout_s)
        self.bookie_id = line.partition("bookie in ")[2].partition(";")[0].rstrip(")")

    def get(self, path: str) -> str:
        """The text that it answers over HTTP."""
        with urllib.request.urlopen(f"http://{HOST}:{self.web_port}{path}", timeout=10) as answer:
            return str(answer.read().decode())
