"""Entries of a subscription that were read before their time, and the timer that brings them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from magnetar_ledger.errors import LedgerError
from magnetar_ledger.position import Position
from magnetar_proto.errors import PayloadError
from magnetar_proto.frames import count_or_delay

from magnetar_broker.consumer_link import ConsumeContext
from magnetar_broker.dispatch.delayed_buckets import StoredBucket
from magnetar_broker.dispatch.delayed_index import DelayedIndex
from magnetar_broker.dispatch.delayed_store import BucketLostError, DelayedStore

if TYPE_CHECKING:
    from magnetar_ledger.managed import Cursor

    from magnetar_broker.dispatch.delayed_runs import SortedRun
    from magnetar_broker.dispatch.entry_feed import EntryFeed
    from magnetar_broker.dispatch.replay_queue import ReplayQueue

log = logging.getLogger(__name__)

_RELEASE_ENTRIES: Final = 100
"""So many due entries at most come into the replay queue at a time, which takes a millisecond; the
rest stays in the compact index."""
_LEAST_WAIT_MS: Final = 10
_NOT_ARMED: Final = 1 << 62
_LOAD_AHEAD_MS: Final = 5_000
_FOUND_AGAIN_ROWS: Final = 1_000
"""So many rows may be found again by reading rather than be stored when a topic closes."""
_SKIPS: Final = 1_000


class DelayedDelivery:
    """Parks what is not due and puts it into the replay queue when it is.

    Attributes:
        ready: False until what was kept of the index before is there again; nothing may be read
            until then, or it would be read in vain.
        held_back: There is no memory for more: nothing new may be read. `on_due` follows.
    """

    def __init__(
        self,
        cursor: Cursor,
        context: ConsumeContext,
        on_due: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        """
        Args:
            on_due: there may be something to send.
            on_lost: part of the index is lost: reading has to start anew.
        """
        limits = context.limits
        self._cursor = cursor
        self._context = context
        self._on_due = on_due
        self._on_lost = on_lost
        self._armed_ms = _NOT_ARMED
        self._closed = False
        self._storing: asyncio.Future[None] | None = None
        self.held_back = False
        self._resets = cursor.resets
        self._forgotten = 0
        self._buckets: set[int] = set()
        self.index = DelayedIndex()
        self._store: DelayedStore | None = None
        if cursor.buckets is not None:
            rows = limits.delayed_index_segment_rows
            self._store = DelayedStore(cursor.buckets, context.clock, rows)
        self.ready = self._store is None or self._store.is_empty
        if not self.ready:
            self._spawn_restore()

    @property
    def _early_ms(self) -> int:
        """Unless it is to be strict, Pulsar delivers up to a tick early."""
        limits = self._context.limits
        return 0 if limits.delayed_delivery_strict else limits.delayed_delivery_tick_ms

    def park(self, ledger_id: int, entry_id: int, payload: bytes) -> bool:
        """Whether the entry has to wait; then it does, or was not taken and `held_back` is true."""
        index = self.index
        if index.waiting.count and index.waiting.contains(ledger_id, entry_id):
            return True
        try:
            deliver_at_ms = -count_or_delay(payload)
        except PayloadError:
            return False  # for the client to judge
        if deliver_at_ms <= self._context.clock.wall_ms() + self._early_ms:
            return False
        if not self._context.limits.delayed_delivery_enabled:
            return False
        if self._context.delayed_memory.hold_back(self):
            self.held_back = True
            return True
        if index.add(deliver_at_ms, ledger_id, entry_id):
            self._store_if_many()
        self._account()
        self._arm()
        return True

    def next_to_read(self, position: Position) -> Position:
        """The first entry from here on that is neither acked nor known to wait."""
        waiting = self.index.waiting
        for _ in range(_SKIPS):
            unacked = self._cursor.next_unacked(position)
            position = waiting.next_outside(unacked)
            if position == unacked:
                break
        return position

    def counts_within(self, payloads: Sequence[bytes], room: int) -> list[int]:
        """As the function of that name, but only up to the first entry that has a delay."""
        counts: list[int] = []
        for payload in payloads:
            try:
                count = count_or_delay(payload)
            except PayloadError:
                count = 1
            if count < 1:
                if count:
                    break
                count = 1
            counts.append(count)
            room -= count
            if room <= 0:
                break
        return counts

    def acked(self, position: Position) -> None:
        """An entry was acked, which may wait."""
        waiting = self.index.waiting
        if waiting.count and waiting.discard(*position):
            self._account()
            if not waiting.count:
                self.forget()

    def release(self, replay: ReplayQueue, feed: EntryFeed) -> int:
        """Put some of what is due into the queue.

        Returns:
            How many more entries were due that the feed will give anyway, so that they only wait no
            more; the caller charges for them and comes back, if it is not 0.
        """
        until_ms = self._context.clock.wall_ms() + self._early_ms
        index = self.index
        left = self._take_due(until_ms, replay, feed) if index.next_ms <= until_ms else 0
        if not index.rows:
            self.forget()  # what is left are rows of acked entries
        elif index.next_ms <= until_ms and not index.stuck:
            if not left and not len(replay):  # else sending what is in it comes back to here
                self._context.call_soon(self._on_due)
        else:
            # Also if something waits in `replay`: of Key_Shared it may be blocked by its key.
            self._arm()  # also if a segment is not loaded: the timer sees to that
        return left

    def _take_due(self, until_ms: int, replay: ReplayQueue, feed: EntryFeed) -> int:
        left = 0
        for position in self.index.take_due(until_ms, _RELEASE_ENTRIES):
            # Scenario: the last consumer left or the broker restarted, so reading began anew before
            # entries that wait. By way of `replay`, too, the entry would be sent twice.
            if feed.will_give(position):
                left += 1
            elif not self._cursor.is_acked(position):
                replay.add(*position)
        self._account()
        self._load()
        self._drop_drained()
        return left

    def rewind(self) -> None:
        """A first consumer is there, and reading starts anew from the cursor.

        What waits still waits. After a seek all is forgotten, as most of it may be behind.
        """
        if self._resets != self._cursor.resets:
            self._resets = self._cursor.resets
            self.forget()
        # What was parked is read anew, and takes no memory. Scenario: others fill it for hours, and
        # what is due of this subscription would stand behind the flag.
        self.held_back = False
        self._arm()

    def forget(self) -> None:
        """Nothing waits any more; if reading starts anew, it finds again what should."""
        self.index.clear()
        self._account()
        self._forgotten += 1
        self._buckets.clear()
        if self._store is None:
            return
        # Also if the cursor has none any more: a seek lets them go beside the store.
        gone = self._store.forget_all()
        if not self._store.is_empty:
            self._context.scope.spawn(self._store.drop(gone), name="drop delayed buckets")

    async def finish(self) -> None:
        """The topic is about to close: store what would have to be read again. Failures are
        logged."""
        await self._until_stored()
        if self._store is not None and self.sealable_rows >= _FOUND_AGAIN_ROWS:
            self.index.end_tail()
            self._begin_store(self._store)
            await self._until_stored()

    async def _until_stored(self) -> None:
        if self._storing is not None:
            await asyncio.wait([self._storing])

    def close(self) -> None:
        self._closed = True
        if self._storing is not None and not self._storing.done():
            # Scenario: storing met a bug, and the topic that closes for it would wait for ever.
            self._storing.set_result(None)
        self.index.clear()
        self._account()
        self._context.delayed_memory.relieved(self)

    # The limit of memory.

    @property
    def sealable_rows(self) -> int:
        """Rows that could go into a bucket now."""
        able = self._store is not None and self._storing is None and self.ready and not self._closed
        return self.index.unstored_rows if able else 0

    def relieve(self) -> None:
        """Memory is short: begin to write rows into a bucket."""
        assert self._store is not None
        self.index.end_tail()
        self._begin_store(self._store)

    def on_room(self) -> None:
        """There is room again."""
        self.held_back = False
        self._context.call_soon(self._on_due)

    def _account(self) -> None:
        self._context.delayed_memory.set_used(self, self.index.size_bytes)

    # The timer.

    def _arm(self) -> None:
        """Have the timer ring for the entry that is due next, if it would not before."""
        due_ms = self.index.next_ms - self._early_ms
        if not self.index.rows or due_ms >= self._armed_ms:
            return
        wait_ms = max(due_ms - self._context.clock.wall_ms(), _LEAST_WAIT_MS)
        # A clock that jumps is noticed in time, and a delay of years is no overflow.
        wait_ms = min(wait_ms, self._context.limits.delayed_delivery_tick_ms)
        self._armed_ms = due_ms
        self._context.call_later(wait_ms / 1000, self._ring)

    def _ring(self) -> None:
        self._armed_ms = _NOT_ARMED
        if self._closed or not self.index.rows:
            return
        self._load()
        if self.index.next_ms <= self._context.clock.wall_ms() + self._early_ms:
            self._on_due()
        else:
            self._arm()

    # Buckets.

    def _store_if_many(self) -> None:
        if self._store is None or self._storing is not None or self._closed or not self.ready:
            return
        if self.index.run_rows >= self._context.limits.delayed_index_bucket_rows:
            self._begin_store(self._store)

    def _begin_store(self, store: DelayedStore) -> None:
        runs = self.index.runs(self._most_rows)
        if runs:
            self._storing = asyncio.get_running_loop().create_future()
            make = self._make_bucket(store, runs, self._forgotten)
            self._context.scope.spawn(make, name="store delayed index")

    async def _make_bucket(
        self, store: DelayedStore, runs: Sequence[SortedRun], forgotten: int
    ) -> None:
        try:
            bucket = await store.store(runs)
        except LedgerError as error:
            log.warning("%s: delayed index stays in memory: %s", self._cursor.name, error)
            self._later(self._may_store)
            return
        if forgotten != self._forgotten:
            await store.drop([bucket.ledger_id])
        elif not self._closed:
            self.index.replace(runs, bucket)
            self._buckets.add(bucket.ledger_id)
            self._account()
            self._drop_drained()
            self._arm()
        self._may_store()  # others came meanwhile

    @property
    def _most_rows(self) -> int:
        """Of one bucket: while it is made it takes as much memory again."""
        return 2 * self._context.limits.delayed_index_bucket_rows

    def _may_store(self) -> None:
        storing, self._storing = self._storing, None
        assert storing is not None
        if not storing.done():
            storing.set_result(None)
        self._store_if_many()
        self._context.delayed_memory.relieved(self)

    def _later(self, call: Callable[[], None]) -> None:
        self._context.call_later(self._context.limits.read_retry_ms / 1000, call)

    def _load(self) -> None:
        """Begin to read the segments that are needed soon."""
        if self._store is None or not self._buckets:
            return
        for bucket in self.index.to_load(self._context.clock.wall_ms() + _LOAD_AHEAD_MS):
            bucket.loading = True
            load = self._load_segment(self._store, bucket)
            self._context.scope.spawn(load, name="load delayed index")

    async def _load_segment(self, store: DelayedStore, bucket: StoredBucket) -> None:
        try:
            run = await store.load(bucket)
        except BucketLostError as error:
            log.error("%s: delayed messages are read again: %s", self._cursor.name, error)
            if not self._closed:
                self.forget()
                self._on_lost()
        except LedgerError as error:
            log.warning("%s: delayed messages are late: %s", self._cursor.name, error)
            self._later(partial(self._load_again, bucket))
        else:
            if bucket.ledger_id in self._buckets and not self._closed:
                self.index.loaded(bucket, run)
                self._account()
                if self.index.next_ms <= self._context.clock.wall_ms() + self._early_ms:
                    self._on_due()
                else:
                    # Scenario: the segment before was used up and no timer was set, as there was
                    # nothing to set it for.
                    self._arm()

    def _load_again(self, bucket: StoredBucket) -> None:
        bucket.loading = False
        self._load()

    def _drop_drained(self) -> None:
        left = {bucket.ledger_id for bucket in self.index.buckets()}
        drained = self._buckets - left
        if drained and self._store is not None:
            self._buckets = left
            # What was taken of it and is not acked is found by reading, if it comes to that.
            drop = self._store.drop(sorted(drained))
            self._context.scope.spawn(drop, name="drop delayed bucket")

    def _spawn_restore(self) -> None:
        if self._store is not None and not self._closed:
            restore = self._restore(self._store)
            self._context.scope.spawn(restore, name="restore delayed index")

    async def _restore(self, store: DelayedStore) -> None:
        try:
            found = await store.restore()
        except LedgerError as error:
            log.warning("%s: delayed index is not there yet: %s", self._cursor.name, error)
            self._later(self._spawn_restore)
            return
        if self._closed:
            return
        for bucket, directory in found:
            self.index.restore(bucket, directory.entries)
            self._buckets.add(bucket.ledger_id)
        self._account()
        self._drop_drained()
        self.ready = True
        self._load()
        self._on_due()
