"""The keys of `bookkeeper.conf` that have an effect on `magnetar bookie`.

Names are BookKeeper's, verbatim; so are defaults, except where the doc says "Pulsar's", which are
those of the file that Apache Pulsar ships, or "here".
"""

from dataclasses import dataclass
from typing import Final

from magnetar_runtime.conf import keys_of, setting
from magnetar_runtime.errors import ConfError
from magnetar_runtime.network import is_loopback
from magnetar_runtime.settings_repair import REPAIR_RANGES, RepairSettings
from magnetar_runtime.settings_storage import BookieSettings
from magnetar_runtime.settings_tls import BookieTlsSettings
from magnetar_runtime.settings_web import DoorSettings

_MIB: Final = 1 << 20
_LOOPBACK_HOSTS: Final = ("127.0.0.1",)
_EVERY_HOST: Final = ("0.0.0.0", "::")  # noqa: S104 - only if somebody asks for it
_NOT_NEGATIVE: Final = (0, None)
_POSITIVE: Final = (1, None)
_RANGES: Final[dict[str, tuple[int, int | None]]] = {
    "bookiePort": (0, 65_535),
    "httpServerPort": (0, 65_535),
    "zkTimeout": _POSITIVE,
    "gcWaitTime": _POSITIVE,
    "nettyMaxFrameSizeBytes": (1024, 1 << 30),
    "maxBatchReadSize": _POSITIVE,
    "journalMaxSizeMB": _POSITIVE,
    "flushInterval": _POSITIVE,
    "diskCheckInterval": _POSITIVE,
    "compactionRateByBytes": _POSITIVE,
    "scrubberRateByBytes": _POSITIVE,
    "dbStorage_writeCacheMaxSizeMb": _POSITIVE,
    **REPAIR_RANGES,
}


@dataclass(frozen=True, kw_only=True)
class BookieServiceSettings(BookieTlsSettings, BookieSettings, RepairSettings, DoorSettings):
    """Settings of `magnetar bookie` and of `magnetar autorecovery`."""

    bookie_port: int = setting("bookiePort", 3181, "Port of BookKeeper's protocol.")
    bookie_id: str = setting(
        "bookieId", "", "Its name in the cluster; empty: the one in its directories here."
    )
    advertised_address: str = setting(
        "advertisedAddress",
        "",
        "Where clients find it; unless it is loopback, it listens on all interfaces here.",
    )
    metadata_service_uri: str = setting(
        "metadataServiceUri", "", "The cluster's metadata; empty: zkServers."
    )
    zk_servers: str = setting("zkServers", "localhost:2181", "ZooKeeper servers.")
    zk_ledgers_root_path: str = setting("zkLedgersRootPath", "/ledgers", "Where ledgers are kept.")
    zk_timeout_ms: int = setting("zkTimeout", 10_000, "How long a ZooKeeper session outlives it.")
    journal_directory: str = setting(
        "journalDirectory", "", "One journal directory, if journalDirectories is empty."
    )
    gc_wait_time_ms: int = setting(
        "gcWaitTime", 900_000, "Delete what metadata has deleted so often; Pulsar's."
    )
    max_frame_bytes: int = setting(
        "nettyMaxFrameSizeBytes", 5_253_120, "Largest request; Pulsar's."
    )
    max_batch_read_bytes: int = setting(
        "maxBatchReadSize", 5 * _MIB, "Largest answer to a batch read."
    )
    http_server_enabled: bool = setting("httpServerEnabled", False, "Serve HTTP.")
    http_server_port: int = setting("httpServerPort", 8080, "Port of HTTP.")
    http_server_host: str = setting(
        "httpServerHost", "", "Where HTTP listens; empty: where the bookie does here."
    )
    read_only_mode_enabled: bool = setting(
        "readOnlyModeEnabled",
        True,
        "An operator may make it read-only; full disks do it always here.",
    )
    force_read_only: bool = setting(
        "forceReadOnlyBookie", False, "Read-only, and nobody can change that while it runs."
    )
    persist_status: bool = setting(
        "persistBookieStatusEnabled",
        False,
        "Stay read-only over a restart if an operator made it so.",
    )

    def __post_init__(self) -> None:
        values = {key: getattr(self, field) for key, field, _, _ in keys_of(type(self))}
        self.check_tls()
        for key, value in values.items():
            if isinstance(value, str | bool):
                continue
            least, most = _RANGES.get(key, _NOT_NEGATIVE)
            if value < least:
                raise ConfError(key, f"{value} is less than {least}")
            if most is not None and value > most:
                raise ConfError(key, f"{value} is more than {most}")

    @property
    def host(self) -> str:
        """Where clients find it."""
        return self.advertised_address or _LOOPBACK_HOSTS[0]

    @property
    def listen_hosts(self) -> tuple[str, ...]:
        """Where to listen: loopback unless another address is advertised."""
        return _LOOPBACK_HOSTS if is_loopback(self.host) else _EVERY_HOST

    @property
    def web_hosts(self) -> tuple[str, ...]:
        """Where HTTP listens."""
        return (self.http_server_host,) if self.http_server_host else self.listen_hosts

    @property
    def metadata_url(self) -> str:
        """The cluster's metadata store, as `magnetar_metadata.metadata_url` takes it."""
        if self.metadata_service_uri:
            return self.metadata_service_uri
        return f"zk+null://{self.zk_servers.replace(',', ';')}{self.zk_ledgers_root_path}"
