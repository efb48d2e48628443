"""Readers that wait until a ledger's last add confirmed moves."""

import asyncio
from collections.abc import Callable

Woken = Callable[[], None]


class _Poll:
    """One reader."""

    __slots__ = ("ledger_id", "previous_lac", "timer", "woken")

    def __init__(self, ledger_id: int, previous_lac: int, woken: Woken) -> None:
        self.ledger_id = ledger_id
        self.previous_lac = previous_lac
        self.woken = woken
        self.timer: asyncio.TimerHandle | None = None


class LongPolls:
    """All waiting readers of a bookie; each is woken once, on the loop, never within a call."""

    def __init__(self, loop: asyncio.AbstractEventLoop, max_polls: int) -> None:
        self._loop = loop
        self._max_polls = max_polls
        self._by_ledger: dict[int, dict[_Poll, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def wait(
        self, ledger_id: int, previous_lac: int, timeout_ms: int, woken: Woken
    ) -> Callable[[], None]:
        """Call `woken` when the LAC is above `previous_lac`, the ledger is fenced, or time is up.

        At once if there are too many. Returns what forgets the reader.
        """
        poll = _Poll(ledger_id, previous_lac, woken)
        if self._count >= self._max_polls:
            timeout_ms = 0
        self._count += 1
        self._by_ledger.setdefault(ledger_id, {})[poll] = None
        poll.timer = self._loop.call_later(timeout_ms / 1000, self._wake, poll)

        def forget() -> None:
            self._forget(poll)

        return forget

    def lac_moved(self, ledger_id: int, lac: int) -> None:
        """A ledger's LAC is this now."""
        for poll in list(self._by_ledger.get(ledger_id, ())):
            if poll.previous_lac < lac:
                self._wake_soon(poll)

    def fenced(self, ledger_id: int) -> None:
        """A ledger was fenced: it may never move again."""
        for poll in list(self._by_ledger.get(ledger_id, ())):
            self._wake_soon(poll)

    def close(self) -> None:
        """Forget all."""
        for polls in list(self._by_ledger.values()):
            for poll in list(polls):
                self._forget(poll)

    def _wake_soon(self, poll: _Poll) -> None:
        if self._forget(poll):
            self._loop.call_soon(poll.woken)

    def _wake(self, poll: _Poll) -> None:
        if self._forget(poll):
            poll.woken()

    def _forget(self, poll: _Poll) -> bool:
        """Whether it still waited."""
        polls = self._by_ledger.get(poll.ledger_id)
        if polls is None or poll not in polls:
            return False
        del polls[poll]
        if not polls:
            del self._by_ledger[poll.ledger_id]
        if poll.timer is not None:
            poll.timer.cancel()
        self._count -= 1
        return True
