"""Where metadata is kept, as one word: `zk:HOST:PORT`, `sqlite:DIR`, `memory:`.

- `zk:HOST:PORT[,HOST:PORT...][/ROOT]`, Pulsar's form. All paths lie below ROOT.
- `zk+null://HOST:PORT[;HOST:PORT...]/LEDGERS`, BookKeeper's form (`zk`, `zk+null` or
  `zk+hierarchical`). The path is that of the ledgers, usually `/ledgers`.
- `sqlite:DIR`, the data directory of a standalone that is not running.
- `memory:`, gone with the process.
"""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from magnetar_runtime.clock import Clock
from magnetar_runtime.directory_lock import lock_directory
from magnetar_runtime.system_disk import SystemDisk

from magnetar_metadata.errors import MetadataError, StoreFileError, WrongUrlError
from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.sqlite import SqliteStore
from magnetar_metadata.store import MetadataStore
from magnetar_metadata.tree import check_path

SQLITE_FILE_NAME: Final = "metadata.sqlite"

_FORMS: Final = (
    "zk:HOST:PORT[,HOST:PORT][/ROOT], zk+null://HOST:PORT/LEDGERS, sqlite:DIR or memory:"
)
_BOOKKEEPER_SCHEMES: Final = ("zk", "zk+null", "zk+hierarchical")
_HOST: Final = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class MetadataUrl:
    """A store's address in its parts.

    `hosts` and `root` are ZooKeeper's, `directory` SQLite's; `ledgers_root` is the path of the
    ledgers within the store.
    """

    kind: str  # "zk", "sqlite" or "memory"
    hosts: str = ""
    root: str = ""
    directory: str = ""
    ledgers_root: str = LEDGERS_ROOT

    def __str__(self) -> str:
        return f"{self.kind}:{self.directory}{self.hosts}{self.root}"


def parse_metadata_url(text: str) -> MetadataUrl:
    """Raises WrongUrlError."""
    kind, colon, rest = text.partition(":")
    if text == "memory:":
        return MetadataUrl("memory")
    if kind == "sqlite" and rest:
        return MetadataUrl("sqlite", directory=rest)
    if kind.partition("+")[0] != "zk" or not colon:
        raise WrongUrlError(text, f"is no metadata store: {_FORMS}")
    if not rest.startswith("//"):
        hosts, path = _hosts_and_path(text, rest)
        if kind != "zk":
            raise WrongUrlError(text, f"is no metadata store: {_FORMS}")
        return MetadataUrl("zk", hosts=hosts, root=path)
    if kind not in _BOOKKEEPER_SCHEMES:
        raise WrongUrlError(text, f"layout {kind!r}; known are {', '.join(_BOOKKEEPER_SCHEMES)}")
    hosts, path = _hosts_and_path(text, rest[2:])
    return MetadataUrl("zk", hosts=hosts, ledgers_root=path or LEDGERS_ROOT)


@asynccontextmanager
async def open_store(
    url: str | MetadataUrl,
    clock: Clock,
    *,
    session_timeout_ms: int = 30_000,
    connect_timeout_ms: int = 30_000,
    make_root: bool = False,
) -> AsyncIterator[MetadataStore]:
    """The store that `url` names; left, it is closed.

    Args:
        session_timeout_ms: ZooKeeper's; bookies have 10,000 by default (`zkTimeout`).
        connect_timeout_ms: how long to wait for a first ZooKeeper server.
        make_root: make ZooKeeper's ROOT, or the directory of an SQLite store, if it is missing.

    Raises:
        WrongUrlError, StoreUnreachableError, StoreFileError
        DirectoryLockedError: a standalone runs on that directory.
    """
    address = parse_metadata_url(url) if isinstance(url, str) else url
    if address.kind == "memory":
        memory = MemoryStore(clock)
        yield memory
        await memory.close()
        return
    if address.kind == "sqlite":
        async with _open_sqlite(address.directory, clock, make_root) as sqlite:
            yield sqlite
        return

    # kazoo is not needed for anything else.
    from magnetar_metadata.zookeeper import ZooKeeperOptions, ZooKeeperStore

    options = ZooKeeperOptions(
        session_timeout_ms=session_timeout_ms, connect_timeout_ms=connect_timeout_ms
    )
    store = await ZooKeeperStore.open(address.hosts, address.root, options, make_root=make_root)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def _open_sqlite(directory: str, clock: Clock, make: bool) -> AsyncIterator[SqliteStore]:
    path = os.path.join(directory, SQLITE_FILE_NAME)
    if not make and not SystemDisk().exists(path):
        raise StoreFileError(path, "there is no such file")
    lock = lock_directory(directory)
    try:
        store = await SqliteStore.open(path, clock)
        try:
            yield store
        finally:
            await store.close()
    finally:
        lock.release()


def _hosts_and_path(text: str, rest: str) -> tuple[str, str]:
    hosts, slash, path = rest.partition("/")
    names = re.split("[,;]", hosts)
    wrong = [name for name in names if not _HOST.fullmatch(name)]
    if wrong:
        raise WrongUrlError(text, f"{wrong[0]!r} is no HOST:PORT")
    path = (slash + path).rstrip("/")
    if path:
        try:
            check_path(path)
        except MetadataError as error:
            raise WrongUrlError(text, str(error)) from None
    return ",".join(names), path
