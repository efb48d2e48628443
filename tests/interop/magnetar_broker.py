"""`magnetar broker` and `magnetar bookie` as processes on a cluster that is there."""

from pathlib import Path

from bench.processes import ServerProcess
from bench.servers import HOST, Server, magnetar_command


class MagnetarBroker(Server):
    """A broker on the ZooKeeper and the bookies of others."""

    name = "magnetar-broker"

    def __init__(self, directory: Path, metadata_url: str, **settings: str) -> None:
        cluster = {
            "clusterName": "standalone",
            "metadataStoreUrl": metadata_url,
            "advertisedAddress": HOST,
            "bindAddress": HOST,
            "metadataStoreSessionTimeoutMillis": "4000",
            # The machine may be busy with other tests: that is to drive no topic away.
            "loadBalancerBrokerOverloadedThresholdPercentage": "100",
        }
        super().__init__(directory, {**cluster, **settings})

    def _command(self) -> list[str]:
        ports = {"brokerServicePort": str(self.port), "webServicePort": str(self.web_port)}
        command = [*magnetar_command(), "broker"]
        for key, value in {**self.settings, **ports}.items():
            command += ["--set", f"{key}={value}"]
        return command

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        process.wait_for_line("broker ready in ", timeout_s)


class MagnetarBookie(Server):
    """A bookie on the ZooKeeper of others; `settings` name its directories."""

    name = "magnetar-bookie"

    def __init__(self, directory: Path, metadata_url: str, **settings: str) -> None:
        super().__init__(directory, {"metadataServiceUri": metadata_url, **settings})

    def _command(self) -> list[str]:
        command = [*magnetar_command(), "bookie", "--set", f"bookiePort={self.port}"]
        for key, value in self.settings.items():
            command += ["--set", f"{key}={value}"]
        return command

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        process.wait_for_line("bookie ready in ", timeout_s)
