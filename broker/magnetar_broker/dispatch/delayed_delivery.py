"""Entries of a subscription that were read before their time, and the timer that brings them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from magnetar_proto.errors import PayloadError
from magnetar_proto.frames import count_or_delay

from magnetar_broker.consumer_link import ConsumeContext
from magnetar_broker.dispatch.delayed_index import DelayedIndex

if TYPE_CHECKING:
    from magnetar_ledger.managed import Cursor

    from magnetar_broker.dispatch.replay_queue import ReplayQueue

_RELEASE_ENTRIES: Final = 1_000
"""So many due entries at most wait in the replay queue; the rest stays in the compact index."""
_LEAST_WAIT_MS: Final = 10
_NOT_ARMED: Final = 1 << 62


class DelayedDelivery:
    """Parks what is not due and puts it into the replay queue when it is."""

    def __init__(self, cursor: Cursor, context: ConsumeContext, on_due: Callable[[], None]) -> None:
        limits = context.limits
        self._cursor = cursor
        self._context = context
        self._on_due = on_due
        # Unless it is to be strict, Pulsar delivers up to a tick early.
        self._early_ms = 0 if limits.delayed_delivery_strict else limits.delayed_delivery_tick_ms
        self._armed_ms = _NOT_ARMED
        self._closed = False
        self.index = DelayedIndex()

    def park(self, ledger_id: int, entry_id: int, payload: bytes) -> bool:
        """Whether the entry has to wait; then it does."""
        try:
            deliver_at_ms = -count_or_delay(payload)
        except PayloadError:
            return False  # for the client to judge
        if deliver_at_ms <= self._context.clock.wall_ms() + self._early_ms:
            return False
        self.index.add(deliver_at_ms, ledger_id, entry_id)
        self._arm()
        return True

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

    def release(self, replay: ReplayQueue) -> None:
        """Put some of what is due into the queue."""
        until_ms = self._context.clock.wall_ms() + self._early_ms
        if self.index.next_ms > until_ms:
            self._arm()
            return
        for position in self.index.take_due(until_ms, _RELEASE_ENTRIES):
            if not self._cursor.is_acked(position):
                replay.add(*position)

    def forget(self) -> None:
        """Reading starts anew, and finds them again."""
        self.index.clear()

    def close(self) -> None:
        self._closed = True
        self.index.clear()

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
        if self.index.next_ms <= self._context.clock.wall_ms() + self._early_ms:
            self._on_due()
        else:
            self._arm()
