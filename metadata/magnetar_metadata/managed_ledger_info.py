"""What the cluster knows of a managed ledger and of its cursors, in Pulsar's paths and bytes.

A managed ledger's name is its path below `/managed-ledgers`: tenant, namespace, domain and the
encoded topic (`magnetar_metadata.topic_paths.managed_ledger_name`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from magnetar_proto.managed_ledger_pb2 import (
    ManagedCursorInfo,
    MessageRange,
    NestedPositionInfo,
)
from magnetar_proto.managed_ledger_pb2 import (
    ManagedLedgerInfo as ManagedLedgerInfoRecord,
)

from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.store import ANY_VERSION, MetadataStore, Node
from magnetar_metadata.topic_paths import decode_name, encode_name

MANAGED_LEDGERS_ROOT = "/managed-ledgers"
INLINE_CURSOR_LEDGER_ID = -1
_COMPRESSED_MAGIC = b"\x47\x78"

EntryKey = tuple[int, int]
"""Ledger id and entry id."""


@dataclass(frozen=True, slots=True)
class LedgerInfo:
    """One ledger of a managed ledger. The last one's figures are 0 until it is closed."""

    ledger_id: int
    entries: int = 0
    size: int = 0  # bytes
    timestamp_ms: int = 0
    offload_context: bytes = b""  # kept for brokers that offload


@dataclass(frozen=True, slots=True)
class ManagedLedgerInfo:
    """The ledgers of a topic in their order, and what the topic carries besides."""

    ledgers: tuple[LedgerInfo, ...] = ()
    terminated_position: EntryKey | None = None
    properties: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        record = ManagedLedgerInfoRecord()
        for ledger in self.ledgers:
            _add_ledger(record, ledger)
        if self.terminated_position is not None:
            record.terminatedPosition.CopyFrom(_position(self.terminated_position))
        for key, value in self.properties.items():
            record.properties.add(key=key, value=value)
        return record.SerializeToString()

    @staticmethod
    def decode(value: bytes) -> "ManagedLedgerInfo":
        """Raises MalformedRecordError."""
        _refuse_compressed("managed ledger", value)
        try:
            record = ManagedLedgerInfoRecord.FromString(value)
        except DecodeError as error:
            raise MalformedRecordError("managed ledger", str(error)) from error
        terminated = record.HasField("terminatedPosition")
        return ManagedLedgerInfo(
            ledgers=tuple(
                LedgerInfo(
                    info.ledgerId, info.entries, info.size, info.timestamp, info.offloadContext
                )
                for info in record.ledgerInfo
            ),
            terminated_position=_key(record.terminatedPosition) if terminated else None,
            properties={entry.key: entry.value for entry in record.properties},
        )


@dataclass(frozen=True, slots=True)
class CursorInfo:
    """A cursor's node: its ledger and a snapshot, which is the state if there is no ledger.

    `individual_deleted` are ranges open below and closed above. `batch_deletes` has, for entries
    acknowledged in part, the words of a bit set: 1 is a batch index not yet acknowledged.
    `redeliveries` says how often entries were given back: ledgers, entries, and counts.
    """

    cursor_ledger_id: int
    mark_delete: EntryKey | None = None
    individual_deleted: tuple[tuple[EntryKey, EntryKey], ...] = ()
    batch_deletes: tuple[tuple[EntryKey, tuple[int, ...]], ...] = ()
    properties: Mapping[str, int] = field(default_factory=dict)
    cursor_properties: Mapping[str, str] = field(default_factory=dict)
    last_active_ms: int = 0
    redeliveries: tuple[tuple[int, Sequence[int], Sequence[int]], ...] = ()

    def encode(self) -> bytes:
        record = ManagedCursorInfo(cursorsLedgerId=self.cursor_ledger_id)
        if self.mark_delete is not None:
            record.markDeleteLedgerId, record.markDeleteEntryId = self.mark_delete
        for lower, upper in self.individual_deleted:
            record.individualDeletedMessages.append(
                MessageRange(lowerEndpoint=_position(lower), upperEndpoint=_position(upper))
            )
        for key, words in self.batch_deletes:
            record.batchedEntryDeletionIndexInfo.add(position=_position(key), deleteSet=words)
        for name, number in self.properties.items():
            record.properties.add(name=name, value=number)
        for name, text in self.cursor_properties.items():
            record.cursorProperties.add(name=name, value=text)
        for ledger_id, entry_ids, counts in self.redeliveries:
            record.redeliveryCounts.add(ledgerId=ledger_id, entryIds=entry_ids, counts=counts)
        if self.last_active_ms:
            record.lastActive = self.last_active_ms
        return record.SerializeToString()

    @staticmethod
    def decode(value: bytes) -> "CursorInfo":
        """Raises MalformedRecordError."""
        _refuse_compressed("cursor", value)
        try:
            record = ManagedCursorInfo.FromString(value)
        except DecodeError as error:
            raise MalformedRecordError("cursor", str(error)) from error
        marked = record.HasField("markDeleteLedgerId")
        return CursorInfo(
            cursor_ledger_id=record.cursorsLedgerId,
            mark_delete=(record.markDeleteLedgerId, record.markDeleteEntryId) if marked else None,
            individual_deleted=tuple(
                (_key(interval.lowerEndpoint), _key(interval.upperEndpoint))
                for interval in record.individualDeletedMessages
            ),
            batch_deletes=tuple(
                (_key(info.position), tuple(info.deleteSet))
                for info in record.batchedEntryDeletionIndexInfo
            ),
            properties={entry.name: entry.value for entry in record.properties},
            cursor_properties={entry.name: entry.value for entry in record.cursorProperties},
            last_active_ms=record.lastActive,
            redeliveries=tuple(
                (each.ledgerId, tuple(each.entryIds), tuple(each.counts))
                for each in record.redeliveryCounts
            ),
        )


class ManagedLedgerRegistry:
    """Managed ledgers and cursors in the metadata store. Writes are compare-and-set.

    A BadVersionError on a managed ledger's node means that another broker owns the topic now.
    """

    def __init__(self, store: MetadataStore, root: str = MANAGED_LEDGERS_ROOT) -> None:
        self._store = store
        self._root = root

    async def read(self, name: str) -> tuple[ManagedLedgerInfo, int] | None:
        """The managed ledger and its version, or None. Raises MalformedRecordError."""
        node = await self._store.get(self._path(name))
        return None if node is None else (ManagedLedgerInfo.decode(node.value), node.stat.version)

    async def create(self, name: str, info: ManagedLedgerInfo) -> int:
        """Make the node and return its version. Raises NodeExistsError."""
        await self._store.create(self._path(name), info.encode())
        return 0

    async def write(self, name: str, info: ManagedLedgerInfo, version: int) -> int:
        """Replace the value and return the new version. Raises NoNodeError, BadVersionError."""
        return (await self._store.set(self._path(name), info.encode(), version)).version

    async def delete(self, name: str, version: int = ANY_VERSION) -> None:
        """Forget a managed ledger without cursors. Raises NoNodeError, NotEmptyError."""
        await self._store.delete(self._path(name), version)

    async def names(self, tenant: str, namespace: str, domain: str = "persistent") -> list[str]:
        """Names of the managed ledgers of a namespace."""
        parent = f"{tenant}/{namespace}/{domain}"
        children = await self._store.children(f"{self._root}/{parent}")
        return [f"{parent}/{child}" for child in children]

    def watch_names(
        self, tenant: str, namespace: str, hint: Callable[[], None], domain: str = "persistent"
    ) -> Callable[[], None]:
        """Call `hint` when `names` may give something else. Returns what ends that."""
        path = f"{self._root}/{tenant}/{namespace}/{domain}"
        return self._store.watch(path, lambda _: hint())

    async def read_cursor(self, name: str, cursor: str) -> tuple[CursorInfo, int] | None:
        """A cursor and its version, or None. Raises MalformedRecordError."""
        node = await self._store.get(self._cursor_path(name, cursor))
        return None if node is None else (CursorInfo.decode(node.value), node.stat.version)

    async def create_cursor(self, name: str, cursor: str, info: CursorInfo) -> int:
        """Make a cursor and return its version. Raises NodeExistsError, NoNodeError."""
        path = self._cursor_path(name, cursor)
        await self._store.create(path, info.encode(), make_parents=False)
        return 0

    async def write_cursor(self, name: str, cursor: str, info: CursorInfo, version: int) -> int:
        """Replace a cursor and return the new version. Raises NoNodeError, BadVersionError."""
        path = self._cursor_path(name, cursor)
        return (await self._store.set(path, info.encode(), version)).version

    async def delete_cursor(self, name: str, cursor: str, version: int = ANY_VERSION) -> None:
        """Forget a cursor. Raises NoNodeError, BadVersionError."""
        await self._store.delete(self._cursor_path(name, cursor), version)

    async def node(self, name: str, cursor: str | None = None) -> Node | None:
        """What is stored of a managed ledger or one of its cursors, as it is; None if nothing."""
        return await self._store.get(
            self._path(name) if cursor is None else self._cursor_path(name, cursor)
        )

    async def sync(self, name: str) -> None:
        """Wait until reads of a managed ledger and its cursors see what was written before."""
        await self._store.sync(self._path(name))

    async def cursor_names(self, name: str) -> list[str]:
        return [decode_name(child) for child in await self._store.children(self._path(name))]

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _cursor_path(self, name: str, cursor: str) -> str:
        return f"{self._root}/{name}/{encode_name(cursor)}"


def _add_ledger(record: ManagedLedgerInfoRecord, ledger: LedgerInfo) -> None:
    info = record.ledgerInfo.add(ledgerId=ledger.ledger_id)
    if ledger.timestamp_ms:  # closed: the open ledger stands there with its id alone
        info.entries = ledger.entries
        info.size = ledger.size
        info.timestamp = ledger.timestamp_ms
    if ledger.offload_context:
        info.offloadContext = ledger.offload_context


def _position(key: EntryKey) -> NestedPositionInfo:
    return NestedPositionInfo(ledgerId=key[0], entryId=key[1])


def _key(position: NestedPositionInfo) -> EntryKey:
    return position.ledgerId, position.entryId


def _refuse_compressed(kind: str, value: bytes) -> None:
    if value.startswith(_COMPRESSED_MAGIC):
        raise MalformedRecordError(kind, "compressed metadata is not supported")
