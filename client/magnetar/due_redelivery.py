"""When a consumer has entries sent again: what was refused, and what nobody acknowledges."""

import asyncio
from collections.abc import Callable, Sequence

from magnetar.due_times import DueTimes
from magnetar.incoming import Place


class DueRedelivery:
    """Entries of one consumer, and one timer for the first of them that is due.

    Args:
        ack_timeout_s: after so long without an acknowledgement an entry comes again; 0 is never.
        redeliver: has what is due sent again.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        ack_timeout_s: float,
        redeliver: Callable[[Sequence[Place]], None],
    ) -> None:
        self.ack_timeout_s = ack_timeout_s
        self._loop = loop
        self._redeliver = redeliver
        self._refused: DueTimes[Place] = DueTimes()
        self._unacked: DueTimes[Place] = DueTimes()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = 0.0

    def given(self, place: Place) -> None:
        """The user has it, and the time for its acknowledgement runs."""
        self._unacked.add(place, self._loop.time() + self.ack_timeout_s)
        self._arm()

    def refuse(self, place: Place, delay_s: float) -> None:
        """It comes again after a while."""
        self._unacked.discard(place)
        self._refused.add(place, self._loop.time() + delay_s)
        self._arm()

    def done(self, place: Place) -> None:
        """It is acknowledged."""
        if self._unacked.due_s:
            self._unacked.discard(place)
        if self._refused.due_s:
            self._refused.discard(place)

    def done_up_to(self, place: Place) -> None:
        """All up to it are acknowledged; what was refused comes again all the same."""
        if self._unacked.due_s:
            self._unacked.discard_where(lambda each: each <= place)

    def clear(self) -> None:
        """All comes again anyway."""
        self._refused.clear()
        self._unacked.clear()

    def stop(self) -> None:
        """Nothing comes again any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        times = [each for each in (self._refused.next_s, self._unacked.next_s) if each is not None]
        if not times:
            return
        if self._timer is not None:
            if self._timer_s <= min(times):
                return
            self._timer.cancel()
        self._timer_s = min(times)
        self._timer = self._loop.call_at(self._timer_s, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now_s = self._loop.time()
        places = [*self._refused.take(now_s), *self._unacked.take(now_s)]
        if places:
            self._redeliver(places)
        self._arm()
