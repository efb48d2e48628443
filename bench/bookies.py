"""Bookies and what they need, ours and Apache's: servers, and clusters that act as one."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.errors import ServerError
from bench.processes import POLL_INTERVAL_S, ServerProcess
from bench.servers import (
    APACHE,
    HOST,
    START_TIMEOUT_S,
    Server,
    get,
    magnetar_command,
    wait_for_port,
)

CACHE_MB: Final = "64"
"""Write cache of each bookie, ours and Apache's."""
SESSION_MS: Final = 4000
"""Of a bookie in ZooKeeper: one that was killed is registered for so long."""
QUORUMS: Final = (3, 3, 2)

_COMMON: Final = {
    "advertisedAddress": HOST,
    "diskUsageThreshold": "0.99",
    "diskUsageWarnThreshold": "0.98",
    "httpServerEnabled": "false",
    "autoRecoveryDaemonEnabled": "false",
    "dbStorage_writeCacheMaxSizeMb": CACHE_MB,
    "zkTimeout": str(SESSION_MS),
}


class ZooKeeper(Server):
    """One Apache ZooKeeper."""

    name = "zookeeper"

    @property
    def uri(self) -> str:
        """For bookies and the Java client."""
        return f"zk+hierarchical://{HOST}:{self.port}/ledgers"

    def init(self, *command: str) -> None:
        """Make what a new cluster needs, with a command that runs to its end."""
        done = subprocess.run(
            command,
            env={**os.environ, **self._environment()},
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise ServerError(f"{command[1:3]}: {done.stderr[-2000:]}")

    def _command(self) -> list[str]:
        return [str(APACHE), "zookeeper", str(self.port)]

    def _environment(self) -> dict[str, str]:
        return {"PEERS_DATA": str(self.data_directory), "PEER_LOG": "warn"}

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not self._is_ok():
            process.check_alive()
            if time.monotonic() > deadline_s:
                raise ServerError(f"ZooKeeper is not ready:\n{process.output()[-3000:]}")
            time.sleep(POLL_INTERVAL_S)

    def _is_ok(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=5) as connection:
                connection.sendall(b"ruok")
                return connection.recv(16) == b"imok"
        except OSError:
            return False


class MagnetarBookie(Server):
    """`magnetar bookie` under HOST:PORT as its id; the port stays the same over restarts."""

    name = "bookie"

    def __init__(
        self, directory: Path, zookeeper: str, settings: Mapping[str, str] | None = None
    ) -> None:
        """Args: `zookeeper` is HOST:PORT."""
        super().__init__(directory, settings)
        self.bookie_id = f"{HOST}:{self.port}"
        self._zookeeper = zookeeper

    def _command(self) -> list[str]:
        keys = {
            **_COMMON,
            "bookiePort": self.port,
            "bookieId": self.bookie_id,
            "metadataServiceUri": f"zk+hierarchical://{self._zookeeper}/ledgers",
            "journalDirectories": f"{self.data_directory}/journal",
            "ledgerDirectories": f"{self.data_directory}/ledgers",
            **self.settings,
        }
        assignments = [word for key in keys for word in ("--set", f"{key}={keys[key]}")]
        return [*magnetar_command(), "bookie", *assignments]

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        process.wait_for_line("magnetar bookie ready in ", timeout_s)


class ApacheBookie(Server):
    """An Apache bookie as Pulsar configures it."""

    name = "apache-bookie"

    def __init__(
        self, directory: Path, zookeeper: str, settings: Mapping[str, str] | None = None
    ) -> None:
        """Args: `zookeeper` is HOST:PORT."""
        super().__init__(directory, settings)
        self.bookie_id = f"{HOST}:{self.port}"
        self._zookeeper = zookeeper

    def _command(self) -> list[str]:
        conf = self.directory / "extra.conf"
        keys = {"zkTimeout": str(SESSION_MS), **self.settings}
        conf.write_text("".join(f"{key}={value}\n" for key, value in keys.items()))
        return [str(APACHE), "bookie", str(self.port), self._zookeeper, str(conf)]

    def _environment(self) -> dict[str, str]:
        cache_mb = int(self.settings.get("dbStorage_writeCacheMaxSizeMb", CACHE_MB))
        memory = f"-Xmx1g -XX:MaxDirectMemorySize={2048 + cache_mb}m"
        return {
            "PEERS_DATA": str(self.data_directory),
            "PEER_LOG": "warn",
            "PEERS_JAVA_OPTS": memory,
        }

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        wait_for_port(process, self.port, timeout_s)


class _Broker(Server):
    """A broker on a cluster; `settings` are those of its configuration."""

    def __init__(self, directory: Path, zookeeper: str, settings: Mapping[str, str]) -> None:
        super().__init__(directory, settings)
        self._zookeeper = zookeeper

    def _wait_ready(self, process: ServerProcess, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        while get(self.web_port, "/admin/v2/brokers/ready")[0] != 200:
            process.check_alive()
            if time.monotonic() > deadline_s:
                raise ServerError(f"the broker is not ready:\n{process.output()[-3000:]}")
            time.sleep(POLL_INTERVAL_S)


class MagnetarBroker(_Broker):
    """`magnetar broker`."""

    name = "broker"

    def _command(self) -> list[str]:
        ensemble, write, ack = QUORUMS
        keys = {
            "clusterName": "standalone",
            "metadataStoreUrl": f"zk:{self._zookeeper}",
            "advertisedAddress": HOST,
            "bindAddress": HOST,
            "managedLedgerDefaultEnsembleSize": ensemble,
            "managedLedgerDefaultWriteQuorum": write,
            "managedLedgerDefaultAckQuorum": ack,
            "brokerServicePort": self.port,
            "webServicePort": self.web_port,
            **self.settings,
        }
        assignments = [word for key in keys for word in ("--set", f"{key}={keys[key]}")]
        return [*magnetar_command(), "broker", *assignments]


class ApacheBroker(_Broker):
    """A broker of Apache Pulsar."""

    name = "apache-broker"

    def _command(self) -> list[str]:
        conf = self.directory / "extra.conf"
        conf.write_text("".join(f"{key}={value}\n" for key, value in self.settings.items()))
        ports = str(self.port), str(self.web_port)
        return [str(APACHE), "broker", *ports, self._zookeeper, str(conf)]

    def _environment(self) -> dict[str, str]:
        names = ("ENSEMBLE", "WRITE_QUORUM", "ACK_QUORUM")
        return {
            "PEERS_DATA": str(self.data_directory),
            "PEER_LOG": "warn",
            **dict(zip(names, map(str, QUORUMS), strict=True)),
        }


MakeBookie = Callable[[Path, str, Mapping[str, str] | None], Server]


class Cluster(Server):
    """A ZooKeeper and bookies, started and killed together.

    Attributes:
        bookies: in the order in which they start.
    """

    init: Sequence[str] = (str(APACHE), "init-bookkeeper", "{zookeeper}")
    """The command that makes what the cluster needs in its ZooKeeper."""

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str],
        *,
        name: str,
        make_bookie: MakeBookie,
        bookies: int = 3,
    ) -> None:
        """Args: `settings` are those of its bookies."""
        super().__init__(directory, settings)
        self.name = name
        self.zookeeper = ZooKeeper(directory / "zookeeper")
        self._address = f"{HOST}:{self.zookeeper.port}"
        self.bookies = [
            make_bookie(directory / f"bookie-{number}", self._address, settings)
            for number in range(bookies)
        ]

    @property
    def metadata_url(self) -> str:
        """For our client."""
        return f"zk:{self._address}"

    @property
    def uri(self) -> str:
        """For the Java client."""
        return self.zookeeper.uri

    @property
    def members(self) -> list[Server]:
        """All servers, in the order in which they start."""
        return [self.zookeeper, *self.bookies]

    def start(self, timeout_s: float = START_TIMEOUT_S) -> float:
        """Start everything; seconds until all of it is ready."""
        began_s = time.monotonic()
        try:
            for member in self.members:
                member.directory.mkdir(parents=True, exist_ok=True)
                member.start(timeout_s)
                if member is self.zookeeper:
                    words = [word.format(zookeeper=self._address) for word in self.init]
                    self.zookeeper.init(*words)
        except BaseException:
            self.kill()
            raise
        return time.monotonic() - began_s

    def kill(self) -> None:
        """kill -9 of everything."""
        for member in reversed(self.members):
            member.kill()


class MagnetarCluster(Cluster):
    """Broker, bookies and ZooKeeper; the broker's ports are the cluster's."""

    init = (*magnetar_command(), "cluster", "init", "--metadata-store", "zk:{zookeeper}",
            "--cluster", "standalone")  # fmt: skip

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        """Args: `settings` are those of the broker."""
        super().__init__(directory, {}, name="magnetar", make_bookie=MagnetarBookie)
        self.broker: Server = MagnetarBroker(directory / "broker", self._address, settings)
        self.port, self.web_port = self.broker.port, self.broker.web_port

    @property
    def members(self) -> list[Server]:
        return [*super().members, self.broker]


class ApacheCluster(Cluster):
    """The same of Apache."""

    init = (str(APACHE), "init-pulsar", "{zookeeper}")

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        """Args: `settings` are those of the broker."""
        super().__init__(directory, {}, name="pulsar", make_bookie=ApacheBookie)
        self.broker: Server = ApacheBroker(directory / "broker", self._address, settings)
        self.port, self.web_port = self.broker.port, self.broker.web_port

    @property
    def members(self) -> list[Server]:
        return [*super().members, self.broker]


def magnetar_bookies(directory: Path, settings: Mapping[str, str], **how: Any) -> Cluster:
    """Bookies of ours."""
    return Cluster(directory, settings, name="magnetar", make_bookie=MagnetarBookie, **how)


def apache_bookies(directory: Path, settings: Mapping[str, str], **how: Any) -> Cluster:
    """Bookies of Apache."""
    return Cluster(directory, settings, name="pulsar", make_bookie=ApacheBookie, **how)
