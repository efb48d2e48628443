"""Which metadata store a broker's configuration names, and where the ledgers are in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from magnetar_metadata.errors import WrongUrlError
from magnetar_metadata.ledger_layout import read_instance_id
from magnetar_metadata.metadata_url import MetadataUrl, open_store, parse_metadata_url
from magnetar_metadata.store import MetadataStore
from magnetar_runtime.clock import Clock
from magnetar_runtime.settings_service import BrokerServiceSettings

from magnetar_cli.exits import WrongSettingsError

_BOOKIES_KEY: Final = "bookkeeperMetadataServiceUri"
_ZOOKEEPER_PORT: Final = 2181


@dataclass(frozen=True, slots=True)
class BrokerStores:
    """One store so far.

    Attributes:
        ledgers_root: The path of the ledgers within it.
    """

    url: MetadataUrl
    ledgers_root: str


def broker_stores(settings: BrokerServiceSettings) -> BrokerStores:
    """What is configured, checked; nothing is opened.

    Raises:
        WrongSettingsError: it names no ZooKeeper, or one for topics and another for bookies.
    """
    key = "metadataStoreUrl" if settings.metadata_store_url else "zookeeperServers"
    url = _zookeeper(key, settings.metadata_url)
    if not settings.bookkeeper_metadata_uri:
        return BrokerStores(url, url.ledgers_root)
    bookies = _zookeeper(_BOOKIES_KEY, settings.bookkeeper_metadata_uri)
    # BookKeeper's form has the whole path, Pulsar's a root below which all paths lie.
    ledgers = bookies.root + bookies.ledgers_root
    if _servers(bookies) != _servers(url) or not ledgers.startswith(f"{url.root}/"):
        raise WrongSettingsError(
            f"{_BOOKIES_KEY}: {settings.bookkeeper_metadata_uri} is not within {key} {url}: "
            "bookies in another metadata store are not supported yet"
        )
    return BrokerStores(url, ledgers.removeprefix(url.root))


@asynccontextmanager
async def open_cluster_store(
    url: MetadataUrl, ledgers_root: str, clock: Clock, *, session_timeout_ms: int
) -> AsyncIterator[MetadataStore]:
    """The store of a cluster that was made before.

    Raises:
        StoreUnreachableError: nobody answers.
        MetadataError: there is no cluster.
    """
    async with open_store(url, clock, session_timeout_ms=session_timeout_ms) as store:
        await read_instance_id(store, ledgers_root)
        yield store


def _zookeeper(key: str, text: str) -> MetadataUrl:
    try:
        url = parse_metadata_url(text)
    except WrongUrlError as error:
        raise WrongSettingsError(f"{key}: {error}") from error
    if url.kind != "zk":
        raise WrongSettingsError(f"{key}: {text}: brokers and bookies meet in ZooKeeper only")
    return url


def _servers(url: MetadataUrl) -> frozenset[tuple[str, int]]:
    """In whatever order they are named."""
    found = set()
    for server in url.hosts.split(","):
        host, colon, port = server.rpartition(":")
        if colon and port.isdigit():
            found.add((host.lower(), int(port)))
        else:
            found.add((server.lower(), _ZOOKEEPER_PORT))
    return frozenset(found)
