"""Auto-recovery processes, Apache's and ours, on the cluster of a ZooKeeper."""

from pathlib import Path

from bench.processes import ServerProcess
from bench.servers import APACHE, HOST, Server, magnetar_command

QUICK = {"openLedgerRereplicationGracePeriod": 3000, "rwRereplicateBackoffMs": 1000}


class ApacheAutoRecovery(Server):
    """BookKeeper's AutoRecoveryMain. It says nothing when it is ready: look for its vote."""

    name = "apache-autorecovery"

    def __init__(self, directory: Path, zookeeper: str) -> None:
        super().__init__(directory)
        self._zookeeper = zookeeper

    def _command(self) -> list[str]:
        conf = self.directory / "more.conf"
        conf.write_text("".join(f"{key}={value}\n" for key, value in QUICK.items()))
        return [str(APACHE), "autorecovery", self._zookeeper, str(conf)]

    def _environment(self) -> dict[str, str]:
        return {"PEERS_DATA": str(self.data_directory), "PEER_LOG": "info"}

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        """Nothing to wait for here."""


class MagnetarAutoRecovery(Server):
    """`magnetar autorecovery`."""

    name = "magnetar-autorecovery"

    def __init__(self, directory: Path, zookeeper: str) -> None:
        super().__init__(directory)
        self._zookeeper = zookeeper

    def _command(self) -> list[str]:
        keys = {
            "metadataServiceUri": f"zk+hierarchical://{self._zookeeper}/ledgers",
            "bookieId": "magnetar-repair",
            "zkTimeout": 4000,
            "httpServerEnabled": "true",
            "httpServerPort": self.web_port,
            "httpServerHost": HOST,
            **QUICK,
        }
        conf = self.directory / "bookkeeper.conf"
        conf.write_text("".join(f"{key}={value}\n" for key, value in keys.items()))
        command = [*magnetar_command(), "autorecovery", "--config", str(conf)]
        return [*command, "--log-level", "info"]

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        process.wait_for_line("magnetar autorecovery ready in ", timeout_s)
