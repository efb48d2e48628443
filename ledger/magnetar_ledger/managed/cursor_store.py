"""Where a cursor is kept: its node in metadata, and a ledger of its own while it changes."""

import asyncio
import logging

from magnetar_metadata.ledger_metadata import DigestType
from magnetar_metadata.managed_ledger_info import INLINE_CURSOR_LEDGER_ID, CursorInfo
from magnetar_metadata.store import MetadataError, NoNodeError
from magnetar_proto.managed_ledger_pb2 import PositionInfo
from magnetar_runtime.clock import Clock

from magnetar_ledger.errors import (
    DigestMismatchError,
    EntryUnreadableError,
    LedgerClosedError,
    LedgerError,
    LedgerFencedError,
    LedgerMetadataError,
    ManagedLedgerFencedError,
    NoSuchEntryError,
    NoSuchLedgerError,
    NotEnoughBookiesError,
)
from magnetar_ledger.managed import cursor_records
from magnetar_ledger.managed.config import ManagedLedgerDeps
from magnetar_ledger.managed.cursor_records import MalformedCursorRecordError, SnapshotEntries
from magnetar_ledger.managed.cursor_state import CursorState
from magnetar_ledger.managed.ledger_chain import PASSWORD, custom_metadata
from magnetar_ledger.managed.versioned_node import VersionedNode
from magnetar_ledger.managed.whole_writes import append_all
from magnetar_ledger.reader import LedgerReader
from magnetar_ledger.writer import LedgerWriter

_log = logging.getLogger(__name__)

_UNREADABLE = (
    NoSuchLedgerError,
    NoSuchEntryError,
    EntryUnreadableError,
    DigestMismatchError,
    NotEnoughBookiesError,
    MalformedCursorRecordError,
)
"""As in Pulsar: a cursor that cannot be recovered costs duplicates, not the topic."""


class CursorStore:
    """Writes one cursor's state, one write at a time.

    The node names the cursor ledger and has an older mark-delete to fall back to. The last snapshot
    of the ledger is the state. A ledger is named in the node only once it holds one.
    """

    def __init__(self, topic: str, cursor: str, deps: ManagedLedgerDeps) -> None:
        self._topic = topic
        self._cursor = cursor
        self._deps = deps
        registry = deps.registry
        self._node = VersionedNode[CursorInfo](
            f"cursor {topic} {cursor}",
            lambda: registry.read_cursor(topic, cursor),
            lambda info: registry.create_cursor(topic, cursor, info),
            lambda info, version: registry.write_cursor(topic, cursor, info, version),
            lambda: registry.sync(topic),
        )
        self._lock = asyncio.Lock()
        self._ledger_id = INLINE_CURSOR_LEDGER_ID  # as the node has it
        self._writer: LedgerWriter | None = None
        self._unnamed: list[LedgerWriter] = []  # of ledgers that the node does not name, or may
        self._created_ms = 0
        self._written_bytes = 0
        self._deleted = False
        self._abandoned: LedgerError | None = None

    async def load(self, state: CursorState) -> bool:
        """Bring `state` to what was kept; False if there is no such cursor.

        Raises:
            LedgerError: it cannot be read now.
        """
        info = await self._node.read()
        if info is None:
            return False
        self._ledger_id = info.cursor_ledger_id
        inline = info.cursor_ledger_id == INLINE_CURSOR_LEDGER_ID
        state.take_info(info, inline=inline)
        if not inline:
            try:
                await self._take(state, await self._last_snapshot(info.cursor_ledger_id))
            except _UNREADABLE as error:
                # Duplicates, never loss: the node's mark-delete is older than the lost record's.
                _log.warning("%s %s goes back: %s", self._topic, self._cursor, error)
        return True

    async def _last_snapshot(self, ledger_id: int) -> list[PositionInfo]:
        # Recovery fences a former owner's cursor ledger before we begin our own.
        reader = await self._deps.client.open(ledger_id, password=PASSWORD, recover=True)
        last_id = reader.last_add_confirmed
        last = await _read_record(reader, last_id)
        if last.part:
            last_id -= last.part
            last = await _read_record(reader, last_id)
        first_id = last_id - last.partsBefore
        return [*[await _read_record(reader, each) for each in range(first_id, last_id)], last]

    async def _take(self, state: CursorState, records: list[PositionInfo]) -> None:
        turns = _Turns(self._deps.clock)
        for _ in cursor_records.take(state, records):
            await turns.give()

    async def create(self, state: CursorState) -> None:
        """Keep a new cursor. Raises LedgerMetadataError, ManagedLedgerFencedError."""
        await self._write_inline(state)

    async def write(self, state: CursorState) -> None:
        """Keep the state: in the cursor ledger, else in the node.

        Raises:
            ManagedLedgerFencedError: another broker changed the cursor.
            LedgerError: it is not kept; or it is, and that is not known.
        """
        async with self._lock:
            self._check_there()
            try:
                await self._write_to_ledger(state)
            except ManagedLedgerFencedError:
                raise
            except LedgerFencedError as error:
                raise ManagedLedgerFencedError(str(error)) from error
            except LedgerError as error:
                if state.needs_ledger(self._deps.config.max_ranges_in_fallback):
                    raise  # more than a metadata node takes
                _log.warning("%s %s: %s; kept inline", self._topic, self._cursor, error)
                await self._write_inline(state)

    async def write_properties(self, state: CursorState) -> None:
        """Keep the string properties, which only the node has. Raises as `write` does."""
        async with self._lock:
            self._check_there()
            if self._ledger_id != INLINE_CURSOR_LEDGER_ID:
                await self._node.write(state.to_info(self._ledger_id, inline=False))
            elif state.needs_ledger(self._deps.config.max_ranges_in_fallback):
                await self._write_to_ledger(state)
            else:
                await self._write_inline(state)

    async def rewrite(self, state: CursorState) -> None:
        """Keep a state that went back. Raises as `write` does.

        Scenario: the node's mark-delete is later than the new one, the new one is only in the
        ledger, and the ledger is lost: entries that were asked for again would be skipped.
        """
        async with self._lock:
            self._check_there()
            await self._write_inline(state)

    async def close(self, state: CursorState, *, changed: bool) -> None:
        """Keep the state for the next owner: in the node if it is small enough.

        Raises as `write` does.
        """
        if self._abandoned is not None:
            pass  # the next owner keeps it
        elif not state.needs_ledger(self._deps.config.max_ranges_in_metadata):
            async with self._lock:
                if changed or self._ledger_id != INLINE_CURSOR_LEDGER_ID:
                    await self._write_inline(state)
        elif changed:
            await self.write(state)
        await self._close_writer()
        for writer in self._unnamed:
            await self._close_quietly(writer)

    async def delete(self) -> None:
        """Forget the cursor. Raises LedgerMetadataError."""
        async with self._lock:
            self._check_owned()
            try:
                await self._deps.registry.delete_cursor(self._topic, self._cursor)
            except NoNodeError:
                pass  # gone already is as good
            except MetadataError as error:
                raise LedgerMetadataError(f"cursor {self._cursor}: {error}") from error
            self._deleted = True
            await self._drop_ledger()
            await self._delete_unnamed()

    def abandon(self, error: LedgerError) -> None:
        """Another owner has the cursor: nothing is written any more, and why."""
        self._abandoned = error

    def _check_owned(self) -> None:
        if self._abandoned is not None:
            raise ManagedLedgerFencedError(str(self._abandoned))

    def _check_there(self) -> None:
        self._check_owned()
        # Scenario: a seek or a flush waits behind the deletion. The node it would not find any more
        # would look as if another broker had the topic now.
        if self._deleted:
            raise LedgerClosedError(f"cursor {self._cursor} was deleted")

    async def _write_inline(self, state: CursorState) -> None:
        await self._node.write(state.to_info(INLINE_CURSOR_LEDGER_ID, inline=True))
        await self._drop_ledger()

    async def _write_to_ledger(self, state: CursorState) -> None:
        entries = await self._snapshot(state)
        if self._writer is None or self._is_full(self._writer):
            try:
                await self._begin_ledger(state, entries)
            except LedgerMetadataError:
                # While metadata is away the full ledger goes on, unless the node may name another.
                if self._writer is None or self._node.doubtful:
                    raise
            else:
                return
        await self._append(self._writer, entries)

    async def _append(self, writer: LedgerWriter, entries: list[bytes]) -> None:
        try:
            await append_all(writer, entries)
        except LedgerError:
            await self._close_writer()
            raise
        self._written_bytes += sum(map(len, entries))

    async def _snapshot(self, state: CursorState) -> list[bytes]:
        """The state as entries. A large one is made in steps, between which acks come in."""
        config, turns = self._deps.config, _Turns(self._deps.clock)
        while True:
            resets = state.resets
            entries = SnapshotEntries(config.cursor_max_entry_bytes)
            for piece in cursor_records.pieces(state, config.max_ranges_as_list):
                entries.add(piece)
                await turns.give()
                if state.resets != resets:
                    break  # the pieces so far speak of acks that are taken back
            else:
                return entries.finish(state)

    async def _begin_ledger(self, state: CursorState, entries: list[bytes]) -> None:
        """Write the snapshot into a new ledger, name it in the node, drop the one before."""
        config = self._deps.config
        writer = await self._deps.client.create(
            ensemble_size=config.ensemble_size,
            write_quorum=config.write_quorum,
            ack_quorum=config.ack_quorum,
            digest_type=DigestType.CRC32C,
            password=PASSWORD,
            custom=custom_metadata(self._topic, self._cursor),
        )
        self._unnamed.append(writer)
        try:
            await append_all(writer, entries)
            await self._node.write(state.to_info(writer.ledger_id, inline=False))
        except LedgerError:
            await self._abandon_unnamed()
            raise
        self._unnamed.remove(writer)
        await self._drop_ledger()
        self._ledger_id, self._writer = writer.ledger_id, writer
        self._created_ms = self._now_ms()
        self._written_bytes = sum(map(len, entries))

    def _is_full(self, writer: LedgerWriter) -> bool:
        config = self._deps.config
        return (
            writer.entries_pushed >= config.cursor_max_entries_per_ledger
            or self._written_bytes >= config.cursor_max_ledger_bytes
            or self._now_ms() - self._created_ms >= config.cursor_max_ledger_age_ms
        )

    async def _drop_ledger(self) -> None:
        """Delete the ledger that the node no longer names, and those that it never did."""
        ledger_id, self._ledger_id = self._ledger_id, INLINE_CURSOR_LEDGER_ID
        await self._abandon_unnamed()
        await self._close_writer()
        if ledger_id != INLINE_CURSOR_LEDGER_ID:
            await self._delete(ledger_id)

    async def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            await self._close_quietly(writer)

    async def _abandon_unnamed(self) -> None:
        """Delete the ledgers of writes that failed, or were cancelled, unless the node names one.

        Scenario: the node's write went through and its answer did not. The ledger has what the
        next owner begins with; it goes when a later write has named another one, or none.
        """
        if not self._node.doubtful:
            await self._delete_unnamed()

    async def _delete_unnamed(self) -> None:
        while self._unnamed:
            writer = self._unnamed.pop()
            await self._close_quietly(writer)
            await self._delete(writer.ledger_id)

    async def _close_quietly(self, writer: LedgerWriter) -> None:
        try:
            await writer.close()
        except LedgerError as error:
            # Whoever opens it closes it by recovery.
            _log.warning("cursor ledger %d was not closed: %s", writer.ledger_id, error)

    async def _delete(self, ledger_id: int) -> None:
        try:
            await self._deps.client.delete(ledger_id)
        except LedgerError as error:
            _log.warning("cursor ledger %d is left over: %s", ledger_id, error)

    def _now_ms(self) -> int:
        return self._deps.clock.monotonic_ns() // 1_000_000


class _Turns:
    """Lets the loop turn between steps when a millisecond is over."""

    _SLICE_NS = 1_000_000

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._end_ns = clock.monotonic_ns() + self._SLICE_NS

    async def give(self) -> None:
        if self._clock.monotonic_ns() >= self._end_ns:
            await asyncio.sleep(0)
            self._end_ns = self._clock.monotonic_ns() + self._SLICE_NS


async def _read_record(reader: LedgerReader, entry_id: int) -> PositionInfo:
    return cursor_records.parse((await reader.read(entry_id, 1, 1))[0])
