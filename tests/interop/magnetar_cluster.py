"""A small cluster of processes: Apache ZooKeeper, our bookies, our brokers."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Self

from bench.servers import HOST, get, magnetar_command
from tests.interop.magnetar_bookies import MagnetarBookie
from tests.interop.magnetar_broker import MagnetarBroker
from tests.interop.zookeeper_server import ApacheZooKeeper

SESSION_TIMEOUT_MS = 3_000
TICK_MS = 500
LAST_LINES = 25


class MagnetarCluster:
    """Started by `with`; all of it ends with the block.

    Attributes:
        brokers: Running or not.
    """

    def __init__(
        self,
        directory: Path,
        *,
        brokers: int = 2,
        bookies: int = 3,
        auto_recovery: bool = False,
        **broker_settings: str,
    ) -> None:
        self.zookeeper = ApacheZooKeeper(_made(directory / "zookeeper"), tick_ms=TICK_MS)
        self._directory = directory
        self._broker_settings = broker_settings
        hosts = self.zookeeper.hosts
        self.bookies = [
            MagnetarBookie(_made(directory / f"bookie-{number}"), hosts, named=True)
            for number in range(bookies)
        ]
        for bookie in self.bookies if auto_recovery else ():
            bookie.settings["autoRecoveryDaemonEnabled"] = "true"
        self.brokers = [self._broker(number) for number in range(brokers)]

    def _broker(self, number: int) -> MagnetarBroker:
        settings = {
            "metadataStoreSessionTimeoutMillis": str(SESSION_TIMEOUT_MS),
            "loadBalancerReportUpdateMinIntervalMillis": "500",
            "acknowledgmentAtBatchIndexLevelEnabled": "true",
            **self._broker_settings,
        }
        directory = _made(self._directory / f"broker-{number}")
        return MagnetarBroker(directory, f"zk:{self.zookeeper.hosts}", **settings)

    @property
    def service_url(self) -> str:
        """Of all brokers, as clients take it."""
        return "pulsar://" + ",".join(f"{HOST}:{broker.port}" for broker in self.brokers)

    def __enter__(self) -> Self:
        try:
            self.zookeeper.start()
            url = f"zk:{self.zookeeper.hosts}"
            init = [*magnetar_command(), "cluster", "init", "--metadata-store", url]
            subprocess.run(
                [*init, "--cluster", "standalone"], check=True, stdout=subprocess.DEVNULL
            )
            for bookie in self.bookies:
                bookie.start()
            for broker in self.brokers:
                broker.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for server in (*self.brokers, *self.bookies, self.zookeeper):
            server.kill()

    def told(self) -> str:
        """Which processes run, and the last that each has logged: for a test that fails."""
        parts = []
        for server in (*self.brokers, *self.bookies):
            if (process := server.process) is None:
                continue
            state = "runs" if process.alive else "has ended"
            lines = process.output().splitlines()[-LAST_LINES:]
            parts.append("\n".join([f"--- {server.directory.name} {state}", *lines]))
        return "\n".join(parts)

    def owner_of(self, topic: str, asked: MagnetarBroker) -> MagnetarBroker | None:
        """The broker that serves a topic now, as one of them says; None while nobody does."""
        path = "/lookup/v2/topic/" + topic.replace("://", "/")
        status, body = get(asked.web_port, path)
        if status in (307, 503):
            return None
        assert status == 200, (status, body)
        url = json.loads(body)["brokerUrl"]
        return next(broker for broker in self.brokers if broker.service_url == url)


def pause(broker: MagnetarBroker) -> None:
    """SIGSTOP."""
    _signal(broker, signal.SIGSTOP)


def go_on(broker: MagnetarBroker) -> None:
    """SIGCONT."""
    _signal(broker, signal.SIGCONT)


def _signal(broker: MagnetarBroker, number: signal.Signals) -> None:
    assert broker.process is not None
    os.kill(broker.process.pid, number)


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True)
    return directory


def topics_loaded(broker: MagnetarBroker) -> int:
    """As its metrics tell: a namespace of which it has none at this moment has no line."""
    status, body = get(broker.web_port, "/metrics/")
    assert status == 200
    lines = [line for line in body.decode().splitlines() if line.startswith("pulsar_topics_count")]
    assert len(lines) <= 1
    return sum(int(float(line.split()[-1])) for line in lines)
