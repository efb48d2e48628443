"""Sealed ledgers that belong to a cursor, as the index of its delayed messages has them.

None is left over, whenever the process dies: an id stands in the cursor's node, as one that is to
be deleted, before its ledger is made; it counts as kept only when all of it is written; and it
stays in the node until the ledger is gone.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import Final

from magnetar_metadata.ledger_metadata import DigestType

from magnetar_ledger.errors import LedgerClosedError, LedgerError, NoSuchLedgerError
from magnetar_ledger.managed.bucket_list import BucketList, MalformedBucketListError
from magnetar_ledger.managed.config import ManagedLedgerDeps
from magnetar_ledger.managed.cursor_state import CursorState
from magnetar_ledger.managed.ledger_chain import PASSWORD, custom_metadata
from magnetar_ledger.managed.whole_writes import append_all
from magnetar_ledger.reader import LedgerReader
from magnetar_ledger.writer import LedgerWriter

COMPONENT: Final = b"delayed-index-bucket"
"""As what these ledgers present themselves to tools."""
_log = logging.getLogger(__name__)


class CursorBuckets:
    """Writes, lists and deletes them, one call at a time in the order of the calls."""

    def __init__(
        self,
        topic: str,
        cursor: str,
        deps: ManagedLedgerDeps,
        state: CursorState,
        write_properties: Callable[[], Awaitable[None]],
    ) -> None:
        """
        Args:
            write_properties: keeps the state's string properties. Raises LedgerError.
        """
        self._topic = topic
        self._cursor = cursor
        self._deps = deps
        self._state = state
        self._write_properties = write_properties
        self._lock = asyncio.Lock()
        self._closed = False
        try:
            self._list = BucketList.of(state.cursor_properties)
        except MalformedBucketListError as error:
            # Its ledgers stay behind; the cursor is as good as one that never had any.
            _log.error("%s %s: its buckets are passed over: %s", topic, cursor, error)
            self._list = BucketList()

    @property
    def listed(self) -> BucketList:
        """All of them."""
        return self._list

    @property
    def kept(self) -> tuple[int, ...]:
        """The ledgers that count, in the order in which `keep` was given them."""
        return self._list.kept

    @property
    def note(self) -> str:
        """As given with them."""
        return self._list.note

    @property
    def leftovers(self) -> bool:
        """Whether there are ledgers to `collect`."""
        return bool(self._list.going)

    async def write(self, entries: Sequence[bytes]) -> int:
        """Write a ledger of these entries and close it; it is not kept yet.

        Raises:
            LedgerClosedError: the cursor is closed or deleted.
            LedgerError: it is not written, and will be deleted.
        """
        async with self._lock:
            self._check_there()
            ledger_id = await self._deps.client.reserve_id()
            await self._record(self._list.with_going(ledger_id))
            config = self._deps.config
            writer = await self._deps.client.create(
                ensemble_size=config.ensemble_size,
                write_quorum=config.write_quorum,
                ack_quorum=config.ack_quorum,
                digest_type=DigestType.CRC32C,
                password=PASSWORD,
                custom={**custom_metadata(self._topic, self._cursor), "component": COMPONENT},
                ledger_id=ledger_id,
            )
            await _write_whole(writer, entries)
            return ledger_id

    async def keep(self, kept: Collection[int], note: str) -> None:
        """From now on these ledgers count, each of them kept before or written; others are deleted.

        Raises:
            LedgerClosedError: the cursor is closed or deleted.
            LedgerError: what was kept before still is, as far as is known.
        """
        async with self._lock:
            self._check_there()
            await self._record(self._list.with_kept(kept, note))
            await self._collect()

    async def let_go(self, write: Callable[[], Awaitable[None]]) -> None:
        """Keep none. `write` keeps the cursor's state and this with it; raises what that does."""
        async with self._lock:
            self._set(self._list.with_kept((), ""))
            await write()
            await self._collect()

    async def open(self, ledger_id: int) -> LedgerReader:
        """A kept ledger, for reading. Raises LedgerError."""
        return await self._deps.client.open(ledger_id, password=PASSWORD, recover=True)

    async def collect(self) -> None:
        """Delete what the process before this one left over."""
        async with self._lock:
            if not self._closed:
                await self._collect()

    async def close(self) -> None:
        """Let a write that is under way end, and begin none."""
        async with self._lock:
            self._closed = True

    async def delete(self) -> None:
        """Delete all of them, for good. Raises LedgerError: some are left, and the list of them."""
        async with self._lock:
            if self._list.kept:
                await self._record(self._list.with_kept((), ""))
            for ledger_id in self._list.going:
                await self._delete(ledger_id)
            self._closed = True

    def _check_there(self) -> None:
        if self._closed:
            raise LedgerClosedError(f"cursor {self._cursor} takes no buckets any more")

    async def _record(self, wanted: BucketList) -> None:
        before = self._list
        self._set(wanted)
        try:
            await self._write_properties()
        except LedgerError:
            # Perhaps it is written, with a ledger as kept that is going here. That one is deleted
            # only after a later write, which says so.
            self._set(before)
            raise

    def _set(self, wanted: BucketList) -> None:
        self._list = wanted
        self._state.cursor_properties = wanted.put_into(self._state.cursor_properties)

    async def _collect(self) -> None:
        """The node says which go: delete them. It hears that they are gone with its next write."""
        gone = []
        for ledger_id in self._list.going:
            try:
                await self._delete(ledger_id)
            except LedgerError as error:
                _log.warning("bucket %d is left over: %s", ledger_id, error)
            else:
                gone.append(ledger_id)
        self._set(self._list.without(gone))

    async def _delete(self, ledger_id: int) -> None:
        with suppress(NoSuchLedgerError):  # gone already is as good
            await self._deps.client.delete(ledger_id)


async def _write_whole(writer: LedgerWriter, entries: Sequence[bytes]) -> None:
    try:
        await append_all(writer, entries)
    finally:
        await writer.close()
