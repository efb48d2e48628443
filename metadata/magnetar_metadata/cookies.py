"""Cookies: what tells a bookie's own directories from empty or foreign ones.

One stands in the metadata store, the same text in each directory of the bookie. A bookie whose
directories lack it has lost entries and must not answer that there are none.
"""

from dataclasses import dataclass
from typing import Final

from google.protobuf import text_format
from magnetar_proto.bookkeeper_metadata_pb2 import CookieFormat

from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.store import ANY_VERSION, MetadataStore

_VERSION_LINE: Final = "5\n"


@dataclass(frozen=True, slots=True)
class Cookie:
    """A bookie's identity and directories."""

    bookie_id: str
    journal_directories: tuple[str, ...]
    ledger_directories: tuple[str, ...]
    instance_id: str = ""  # of the cluster
    index_directories: tuple[str, ...] = ()

    def encode(self) -> bytes:
        record = CookieFormat(
            bookieHost=self.bookie_id,
            journalDir=",".join(self.journal_directories),
            ledgerDirs=_join_counted(self.ledger_directories),
        )
        if self.instance_id:
            record.instanceId = self.instance_id
        if self.index_directories:
            record.indexDirs = _join_counted(self.index_directories)
        return (_VERSION_LINE + text_format.MessageToString(record)).encode()

    @staticmethod
    def decode(value: bytes) -> "Cookie":
        """Raises MalformedRecordError."""
        try:
            text = value.decode()
            if not text.startswith(_VERSION_LINE):
                raise MalformedRecordError("cookie", f"unknown version line {text[:8]!r}")
            record = text_format.Parse(text.removeprefix(_VERSION_LINE), CookieFormat())
            return Cookie(
                bookie_id=record.bookieHost,
                journal_directories=tuple(record.journalDir.split(",")),
                ledger_directories=_split_counted(record.ledgerDirs),
                instance_id=record.instanceId,
                index_directories=_split_counted(record.indexDirs) if record.indexDirs else (),
            )
        except (ValueError, text_format.ParseError) as error:
            raise MalformedRecordError("cookie", str(error)) from error


class CookieRegistry:
    """The cluster's copies of the cookies."""

    def __init__(self, store: MetadataStore, root: str = LEDGERS_ROOT) -> None:
        self._store = store
        self._root = f"{root}/cookies"

    async def read(self, bookie_id: str) -> tuple[Cookie, int] | None:
        """A bookie's cookie and its version, or None. Raises MalformedRecordError."""
        node = await self._store.get(f"{self._root}/{bookie_id}")
        return None if node is None else (Cookie.decode(node.value), node.stat.version)

    async def ids(self) -> list[str]:
        """Ids of all bookies that belong to the cluster, up or not."""
        return await self._store.children(self._root)

    async def create(self, cookie: Cookie) -> None:
        """Keep the cookie of a new bookie. Raises NodeExistsError."""
        await self._store.create(f"{self._root}/{cookie.bookie_id}", cookie.encode())

    async def write(self, cookie: Cookie, version: int) -> None:
        """Replace a cookie. Raises NoNodeError, BadVersionError."""
        await self._store.set(f"{self._root}/{cookie.bookie_id}", cookie.encode(), version)

    async def delete(self, bookie_id: str, version: int = ANY_VERSION) -> None:
        """Forget a bookie for good. Raises NoNodeError, BadVersionError."""
        await self._store.delete(f"{self._root}/{bookie_id}", version)


def _join_counted(directories: tuple[str, ...]) -> str:
    return "\t".join([str(len(directories)), *directories])


def _split_counted(text: str) -> tuple[str, ...]:
    count, *directories = text.split("\t")
    if int(count) != len(directories):
        raise ValueError(f"{len(directories)} directories where {count} were announced")
    return tuple(directories)
