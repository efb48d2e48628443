"""A subscription's place in a topic: acks in memory, kept behind."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence

from magnetar_runtime.scope import TaskScope

from magnetar_ledger.errors import LedgerError, ManagedLedgerFencedError
from magnetar_ledger.managed.bucket_list import BUCKETS_PROPERTY, BucketList
from magnetar_ledger.managed.config import ManagedLedgerConfig
from magnetar_ledger.managed.cursor_buckets import CursorBuckets
from magnetar_ledger.managed.cursor_state import CursorState
from magnetar_ledger.managed.cursor_store import CursorStore
from magnetar_ledger.managed.ledger_list import LedgerList
from magnetar_ledger.managed.redelivery_counts import RedeliveryCounts
from magnetar_ledger.position import Position

_log = logging.getLogger(__name__)

BucketsOf = Callable[[CursorState, Callable[[], Awaitable[None]]], CursorBuckets]
"""Makes a cursor's list of buckets, given its state and what keeps its properties."""


class Cursor:
    """What a subscription has acknowledged.

    Acks take effect at once and are written behind, at most as often as the rate limit allows. What
    was not written when the process dies is delivered again.
    """

    def __init__(
        self,
        name: str,
        ledgers: LedgerList,
        state: CursorState,
        *,
        store: CursorStore | None,
        buckets: Callable[[CursorState, Callable[[], Awaitable[None]]], CursorBuckets]
        | None = None,
        config: ManagedLedgerConfig,
        scope: TaskScope,
        moved: Callable[["Cursor"], None],
        fenced: Callable[[LedgerError], None],
    ) -> None:
        """
        Args:
            store: where it is kept; None for a cursor that ends with its reader.
            buckets: makes its list of buckets; None as `store`.
            moved: told when mark-delete has left a ledger behind.
            fenced: told when another broker turns out to own the topic.
        """
        self.name = name
        self.durable = store is not None
        self.active = True
        """Set by the broker: false while nobody reads, so that nothing is cached for it."""
        self.read_position = state.ranges.mark_delete
        """Set by the broker as it reads: what lies before need not be cached for it."""
        self._ledgers = ledgers
        self._state = state
        self._ranges = state.ranges
        self._store = store
        self._config = config
        self._scope = scope
        self._moved = moved
        self._fenced = fenced
        self._ledger_id = state.ranges.mark_delete.ledger_id
        self._kept_revision = state.revision
        self._kept_at_s = float("-inf")
        self._flushing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._pause: asyncio.Future[None] | None = None
        self._closed = False
        self.buckets = buckets(state, self._write_properties) if buckets is not None else None
        """Ledgers of its own for whoever needs them; None if it is not durable."""

    def configure(self, config: ManagedLedgerConfig) -> None:
        """Follow another configuration from the next write on."""
        self._config = config

    @property
    def resets(self) -> int:
        """How often it was moved by `reset` since it was opened."""
        return self._state.resets

    @property
    def mark_delete(self) -> Position:
        """The last entry up to which all is acknowledged."""
        return self._ranges.mark_delete

    @property
    def backlog_entries(self) -> int:
        """Entries that are not acknowledged."""
        return self._ranges.backlog_entries

    @property
    def last_acked(self) -> Position:
        """The last entry that is acknowledged at least in part; nothing behind it is."""
        return self._ranges.last_acked

    @property
    def range_count(self) -> int:
        """Acknowledged ranges behind mark-delete."""
        return self._ranges.range_count()

    def acked_bitmaps(self) -> Iterator[tuple[int, bytes]]:
        """The same as a little-endian bit set per ledger that has any, in order."""
        return self._ranges.bitmaps()

    def acked_ranges(self) -> Iterator[tuple[Position, Position]]:
        """The ranges behind mark-delete, open below and closed above, in order."""
        return self._ranges.ranges()

    @property
    def properties(self) -> Mapping[str, str]:
        """The subscription's properties."""
        properties = self._state.cursor_properties
        return {key: value for key, value in properties.items() if key != BUCKETS_PROPERTY}

    @property
    def long_properties(self) -> Mapping[str, int]:
        """Numbers that are kept together with the position, as deduplication does."""
        return self._state.properties

    def first_unacked(self) -> Position:
        """Where reading starts: the first entry behind mark-delete, existing or to come."""
        return self._ranges.first_unacked()

    def next_unacked(self, position: Position) -> Position:
        """The first entry at or after `position` that is not acknowledged, existing or to come."""
        return self._ranges.next_unacked(position)

    def is_acked(self, position: Position) -> bool:
        """True if the whole entry is acknowledged."""
        return self._ranges.is_acked(position)

    def ack_set_of(self, position: Position) -> tuple[int, ...] | None:
        """Words of a bit set of what is left of the entry (1: not acked); None if it is whole."""
        return self._ranges.ack_set_of(position)

    def ack_individual(
        self, position: Position, ack_set: Sequence[int] | None = None, batch_size: int = 0
    ) -> bool:
        """Acknowledge an entry, or the batch indexes whose bit in `ack_set` is clear.

        Args:
            batch_size: messages in the entry if known; bits beyond it do not count.

        Returns:
            True if the entry is now wholly acknowledged.
        """
        ranges = self._ranges
        if ack_set:
            if ranges.ack_batch(position, ack_set, batch_size):
                self._changed()
            return ranges.is_acked(position)
        if ranges.ack(position):
            self._changed()
            return True
        return ranges.is_acked(position)

    def ack_cumulative(self, position: Position, ack_set: Sequence[int] | None = None) -> None:
        """Acknowledge all up to `position`; with an ack set, of that entry only the clear bits."""
        changed = False
        if ack_set:
            changed = self._ranges.ack_through(Position(position[0], position[1] - 1))
            changed = self._ranges.ack_batch(position, ack_set) or changed
        else:
            changed = self._ranges.ack_through(position)
        if changed:
            self._changed()

    def skip_ledgers(self, position: Position) -> None:
        """Ledgers before `position` are gone: all that was in them counts as acknowledged."""
        if self._ranges.ack_through(position):
            self._changed()

    @property
    def redeliveries(self) -> RedeliveryCounts:
        """How often entries were given back. Whoever changes it calls `redelivered` after that."""
        return self._state.redeliveries

    def redelivered(self) -> None:
        """Counts in `redeliveries` have grown: they are to be kept."""
        self._changed()

    def set_long_properties(self, properties: Mapping[str, int]) -> None:
        """Replace the numbers that are kept together with the position."""
        self._state.properties = dict(properties)
        self._changed()

    async def set_properties(self, properties: Mapping[str, str]) -> None:
        """Replace the subscription's properties and keep them. Raises LedgerError."""
        buckets = BucketList() if self.buckets is None else self.buckets.listed
        self._state.cursor_properties = buckets.put_into(properties)
        await self._write_properties()

    async def _write_properties(self) -> None:
        if self._store is not None:
            await self._guarded(self._store.write_properties(self._state))

    async def reset(self, position: Position, ack_set: Sequence[int] | None = None) -> None:
        """Begin again at `position`: it is the next entry to be read. It is kept on return, and
        buckets are not.

        Args:
            ack_set: what is left of that entry, if not all.

        Raises:
            LedgerError: the new place is in force here but not kept.
        """
        self._state.reset(self._ledgers.before(position))
        if ack_set:
            self._ranges.ack_batch(position, ack_set)
        self.read_position = self.mark_delete
        self._changed()
        if self._store is not None and self.buckets is not None:
            await self.buckets.let_go(self._rewrite)

    async def _rewrite(self) -> None:
        assert self._store is not None
        await self._keep_by(self._store.rewrite)

    async def flush(self) -> None:
        """Keep the state now. Raises LedgerError."""
        if self._store is None:
            return
        async with self._flushing:
            # Who waited for another flush often finds that it has done it all.
            if self._kept_revision != self._state.revision:
                await self._keep_by(self._store.write)

    def abandon(self, error: LedgerError) -> None:
        """Another owner keeps it now: write nothing any more. `close` is still to be called."""
        self._closed = True
        if self._store is not None:
            self._store.abandon(error)

    async def close(self) -> None:
        """Keep the state for the next owner of the topic. Raises LedgerError."""
        await self._stop()
        if self.buckets is not None:
            await self.buckets.close()
        if self._store is not None:
            changed = self._kept_revision != self._state.revision
            await self._store.close(self._state, changed=changed)
            self._kept_revision = self._state.revision

    async def delete(self) -> None:
        """Forget the cursor and all that was kept of it. Raises LedgerError."""
        await self._stop()
        if self._store is not None:
            try:
                if self.buckets is not None:
                    await self.buckets.delete()
                await self._store.delete()
            except LedgerError:
                self._closed = False  # it is still there, and goes on being kept
                raise

    async def _stop(self) -> None:
        self._closed = True
        if self._pause is not None and not self._pause.done():
            self._pause.set_result(None)
        if self._task is not None:
            await asyncio.wait([self._task])  # not cancelled: a write ends with a known outcome

    def _changed(self) -> None:
        self._state.revision += 1
        ledger_id = self._ranges.mark_delete[0]
        if ledger_id != self._ledger_id:
            self._ledger_id = ledger_id
            self._state.redeliveries.forget_before(ledger_id)
            self._moved(self)
        if self._task is None and self._store is not None and not self._closed:
            self._task = self._scope.spawn(self._keep(), name=f"cursor {self.name}")

    async def _keep(self) -> None:
        """Write while there is something to write, not more often than the rate limit says."""
        loop = asyncio.get_running_loop()
        rate = self._config.mark_delete_rate_limit_per_s
        interval_s = 1 / rate if rate > 0 else 0.0
        wait_s = self._kept_at_s + interval_s - loop.time()
        try:
            while self._kept_revision != self._state.revision:
                await self._wait(max(wait_s, 0))
                if self._closed:
                    return
                wait_s = await self._flush_quietly(interval_s)
        finally:
            self._task = None

    async def _flush_quietly(self, interval_s: float) -> float:
        """Write; returns how many seconds to wait before the next time."""
        try:
            await self.flush()
        except ManagedLedgerFencedError:
            self._closed = True  # the next owner keeps it now
        except LedgerError as error:
            _log.warning("cursor %s is not kept: %s", self.name, error)
            return self._config.cursor_flush_interval_ms / 1000
        return interval_s

    async def _wait(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._pause = pause = loop.create_future()
        timer = loop.call_later(seconds, _wake, pause)
        try:
            await pause
        finally:
            timer.cancel()

    async def _keep_by(self, write: Callable[[CursorState], Coroutine[None, None, None]]) -> None:
        # The write takes the state a little later: it has this revision or a newer one.
        revision = self._state.revision
        await self._guarded(write(self._state))
        self._kept_revision = max(self._kept_revision, revision)
        self._kept_at_s = asyncio.get_running_loop().time()

    async def _guarded(self, write: Coroutine[None, None, None]) -> None:
        try:
            await write
        except ManagedLedgerFencedError as error:
            self._fenced(error)
            raise


def _wake(pause: asyncio.Future[None]) -> None:
    if not pause.done():
        pause.set_result(None)
