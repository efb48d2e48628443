"""What a local cluster consists of: processes, ports, directories, files. Decided, not done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

HOST: Final = "127.0.0.1"
CLUSTER: Final = "local"
TICK_MS: Final = 500
SESSION_TIMEOUT_MS: Final = 5_000
"""What nobody serves any more is taken over behind it; Pulsar's 30 s are long for trying out."""
_LOST_AFTER_S: Final = 60
"""A bookie that is away for so long has its ledgers copied to others."""
_MAX_REPLICAS: Final = 2
END_TIMEOUT_S: Final = 30.0
_SHUTDOWN_KEY: Final = "brokerShutdownTimeoutMs"
_SHUTDOWN_TIMEOUT_MS: Final = 60_000
"""The default: so long a broker hands over; then it ends by itself."""
ZOOKEEPER: Final = "zookeeper"
LOG_CONFIGURATIONS: Final = {
    "logback.xml": """\
<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d %-5level %logger{0} - %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
""",
    "log4j.properties": """\
log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %-5p %c{1} - %m%n
""",
}
"""Of ZooKeeper, for whichever of the two libraries it has."""


@dataclass(frozen=True, slots=True)
class ChildPlan:
    """One process.

    Attributes:
        name: As `bookie-0`; its directory and its log are called so.
        kind: `zookeeper`, `bookie` or `broker`.
        web_port: Of HTTP; 0 if it has none.
        arguments: Of the `magnetar` command; empty for ZooKeeper.
        files: What must be there before it starts: name in its directory -> text.
        end_timeout_s: It is killed when it takes longer to end.
    """

    name: str
    kind: str
    port: int
    web_port: int
    directory: str
    arguments: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    end_timeout_s: float = END_TIMEOUT_S

    @property
    def log_path(self) -> str:
        """Where what it says is kept."""
        return f"{self.directory}.log"

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{HOST}:{self.port}"


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """All processes, in the order in which they start.

    Attributes:
        metadata_url: As `--metadata-store` takes it.
        zookeeper: None if another one is used.
    """

    metadata_url: str
    zookeeper: ChildPlan | None
    bookies: Sequence[ChildPlan]
    brokers: Sequence[ChildPlan]

    @property
    def children(self) -> list[ChildPlan]:
        """All of them."""
        first = [self.zookeeper] if self.zookeeper else []
        return [*first, *self.bookies, *self.brokers]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterWish:
    """What the command line asks for.

    Attributes:
        metadata_url: Of a ZooKeeper that runs; empty to start one.
        data_directory: An absolute path.
    """

    brokers: int
    bookies: int
    data_directory: str
    metadata_url: str = ""
    ledgers_root: str = "/ledgers"
    bookie_settings: Mapping[str, str] = field(default_factory=dict)
    broker_settings: Mapping[str, str] = field(default_factory=dict)


def ports_needed(wish: ClusterWish) -> int:
    """How many ports `plan_cluster` takes."""
    return 2 * (wish.bookies + wish.brokers) + (not wish.metadata_url)


def plan_cluster(wish: ClusterWish, ports: Iterator[int]) -> ClusterPlan:
    """Brokers take the first ports, two each, then bookies, two each, then ZooKeeper."""
    broker_ports = [(next(ports), next(ports)) for _ in range(wish.brokers)]
    bookie_ports = [(next(ports), next(ports)) for _ in range(wish.bookies)]
    zookeeper = None if wish.metadata_url else _zookeeper(wish, next(ports))
    url = f"zk:{zookeeper.address}" if zookeeper else wish.metadata_url
    bookies = [_bookie(wish, number, url, *both) for number, both in enumerate(bookie_ports)]
    brokers = [_broker(wish, number, url, *both) for number, both in enumerate(broker_ports)]
    return ClusterPlan(url, zookeeper, bookies, brokers)


def _zookeeper(wish: ClusterWish, port: int) -> ChildPlan:
    directory = f"{wish.data_directory}/{ZOOKEEPER}"
    keys = {
        "tickTime": TICK_MS,
        "dataDir": f"{directory}/data",
        "clientPort": port,
        "clientPortAddress": HOST,
        "maxClientCnxns": 0,
        "admin.enableServer": "false",
        "4lw.commands.whitelist": "srvr",
        "autopurge.purgeInterval": 1,
    }
    files = {"zoo.cfg": _conf(keys), **LOG_CONFIGURATIONS}
    return ChildPlan(ZOOKEEPER, ZOOKEEPER, port, 0, directory, (), files)


def _bookie(wish: ClusterWish, number: int, url: str, port: int, web_port: int) -> ChildPlan:
    name = f"bookie-{number}"
    directory = f"{wish.data_directory}/{name}"
    hosts, _, root = url.removeprefix("zk:").partition("/")
    ledgers = f"{'/' + root if root else ''}{wish.ledgers_root}"
    keys = {
        "bookiePort": port,
        "advertisedAddress": HOST,
        "metadataServiceUri": f"zk+hierarchical://{hosts.replace(',', ';')}{ledgers}",
        "zkTimeout": SESSION_TIMEOUT_MS,
        "journalDirectories": f"{directory}/journal",
        "ledgerDirectories": f"{directory}/ledgers",
        "journalMaxSizeMB": 64,
        "dbStorage_writeCacheMaxSizeMb": 32,
        "httpServerEnabled": "true",
        "httpServerPort": web_port,
        "autoRecoveryDaemonEnabled": "true",
        "lostBookieRecoveryDelay": _LOST_AFTER_S,
        **wish.bookie_settings,
    }
    return _service(name, "bookie", port, web_port, directory, "bookkeeper.conf", keys)


def _broker(wish: ClusterWish, number: int, url: str, port: int, web_port: int) -> ChildPlan:
    name = f"broker-{number}"
    replicas = min(_MAX_REPLICAS, wish.bookies)
    keys = {
        "clusterName": CLUSTER,
        "metadataStoreUrl": url,
        "metadataStoreSessionTimeoutMillis": SESSION_TIMEOUT_MS,
        "bindAddress": HOST,
        "advertisedAddress": HOST,
        "brokerServicePort": port,
        "webServicePort": web_port,
        "managedLedgerDefaultEnsembleSize": replicas,
        "managedLedgerDefaultWriteQuorum": replicas,
        "managedLedgerDefaultAckQuorum": replicas,
        **wish.broker_settings,
    }
    directory = f"{wish.data_directory}/{name}"
    plan = _service(name, "broker", port, web_port, directory, "broker.conf", keys)
    return replace(plan, end_timeout_s=END_TIMEOUT_S + _shutdown_ms(wish.broker_settings) / 1000)


def _shutdown_ms(settings: Mapping[str, str]) -> int:
    text = settings.get(_SHUTDOWN_KEY, "")
    return int(text) if text.isdecimal() else _SHUTDOWN_TIMEOUT_MS  # the broker refuses the rest


def _service(
    name: str,
    kind: str,
    port: int,
    web_port: int,
    directory: str,
    conf: str,
    keys: Mapping[str, object],
) -> ChildPlan:
    arguments = (kind, "--config", f"{directory}/{conf}", "-o", "json")
    return ChildPlan(name, kind, port, web_port, directory, arguments, {conf: _conf(keys)})


def _conf(keys: Mapping[str, object]) -> str:
    lines = (f"{key}={_escaped(str(value))}\n" for key, value in keys.items())
    return "# Written anew at each start.\n" + "".join(lines)


def _escaped(value: str) -> str:
    """As a properties file has it: a backslash begins an escape there."""
    return value.replace("\\", "\\\\")


def service_urls(plan: ClusterPlan) -> list[str]:
    """What clients of all brokers connect to."""
    binary = ",".join(each.address for each in plan.brokers)
    return [
        f"pulsar://{binary}",
        f"http://{','.join(f'{HOST}:{each.web_port}' for each in plan.brokers)}",
    ]
