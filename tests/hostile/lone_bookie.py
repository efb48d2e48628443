"""`magnetar bookie` as a process, its metadata in a file: a cluster of one."""

import subprocess
from pathlib import Path
from typing import Any

from bench.processes import ServerProcess
from bench.servers import Server, magnetar_command


class LoneBookie(Server):
    """One bookie; its port stays the same over restarts."""

    name = "bookie"

    def __init__(self, directory: Path, settings: dict[str, Any] | None = None) -> None:
        super().__init__(directory, settings)
        self.metadata_url = f"sqlite:{directory / 'metadata'}"

    def init_cluster(self, *more: str) -> None:
        """Makes the cluster; nothing changes if it is there."""
        command = [*magnetar_command(), "cluster", "init", "-md", self.metadata_url, *more]
        subprocess.run(command, check=True, capture_output=True)

    def _command(self) -> list[str]:
        base = self.data_directory
        keys = {
            "bookiePort": self.port,
            "metadataServiceUri": self.metadata_url,
            "journalDirectories": f"{base}/journal",
            "ledgerDirectories": f"{base}/ledgers",
            "journalMaxSizeMB": 16,
            "minUsableSizeForEntryLogCreation": 1,
            "diskUsageThreshold": 0.999,
            "diskUsageWarnThreshold": 0.998,
            "httpServerEnabled": "true",
            "httpServerPort": self.web_port,
            **self.settings,
        }
        conf = self.directory / "bookkeeper.conf"
        conf.write_text("".join(f"{key}={value}\n" for key, value in keys.items()))
        return [*magnetar_command(), "bookie", "--config", str(conf)]

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        process.wait_for_line("magnetar bookie ready in ", timeout_s)
