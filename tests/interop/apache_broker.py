"""The broker of Apache Pulsar as a process on a cluster that is there."""

import time
from pathlib import Path

from bench.errors import ServerError
from bench.processes import POLL_INTERVAL_S, ServerProcess
from bench.servers import APACHE, Server, get


class ApacheBroker(Server):
    """One broker of the cluster "peers"."""

    name = "apache-broker"

    def __init__(self, directory: Path, zookeeper: str, quorums: tuple[int, int, int]) -> None:
        super().__init__(directory)
        self._zookeeper = zookeeper
        self._quorums = quorums

    def _command(self) -> list[str]:
        conf = self.directory / "extra.conf"
        # Else acks that the rate limit of cursors held back are kept a minute later.
        lines = ["managedLedgerCursorPositionFlushSeconds=1"]
        # The machine may be busy with other tests: that is to drive no topic away.
        lines += ["loadBalancerBrokerOverloadedThresholdPercentage=100"]
        conf.write_text("\n".join(lines) + "\n")
        ports = [str(self.port), str(self.web_port)]
        return [str(APACHE), "broker", *ports, self._zookeeper, str(conf)]

    def _environment(self) -> dict[str, str]:
        names = ("ENSEMBLE", "WRITE_QUORUM", "ACK_QUORUM")
        return {
            "PEERS_DATA": str(self.data_directory),
            "PEER_LOG": "warn",
            **dict(zip(names, map(str, self._quorums), strict=True)),
        }

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        while get(self.web_port, "/admin/v2/brokers/ready")[0] != 200:
            process.check_alive()
            if time.monotonic() > deadline_s:
                raise ServerError(f"the broker is not ready:\n{process.output()[-3000:]}")
            time.sleep(POLL_INTERVAL_S)
