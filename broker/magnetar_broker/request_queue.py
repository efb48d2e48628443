"""The requests of one connection that are in work, and the frames that wait until there is room.

A chunk can hold ten thousand lookups. Were all of them begun in the turn that brought them, every
other connection would wait for seconds. So a connection begins some in a turn of the loop; what
stands behind them, of whatever kind, waits some milliseconds, and the socket is not read meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from typing import Any, Final, Protocol

from magnetar_proto.frames import Frame
from magnetar_runtime.bugs import report_bug
from magnetar_runtime.limits import Limits
from magnetar_runtime.scope import TaskScope

from magnetar_broker.errors import OUTSIDE_ERRORS, BrokerError, as_broker_error

REQUESTS: Final = "requests"
"""Why reading is held: too many requests of this connection are under way."""
_TURNS_IN_WORK: Final = 4
"""Frames that wait go on when fewer requests are in work than so many turns begin."""
_PAUSE_S: Final = 0.003
"""Turn upon turn, a flood would never let the loop sleep, and would keep the threads of journals
and metadata, for which the publishes of others wait, from the interpreter."""
DEFERRED: Final = "deferred frames"
"""Why reading is held: frames that came already wait for their turn."""


class Requester(Protocol):
    """The connection, as far as its requests are concerned."""

    @property
    def remote_address(self) -> str: ...

    def hold(self, reason: Hashable) -> None: ...

    def release(self, reason: Hashable) -> None: ...

    def handle_deferred(self, frames: Sequence[Frame]) -> None:
        """Frames of an earlier chunk have their turn."""


class _Gone:
    """Stands for a connection that is no more."""

    remote_address = "a lost connection"

    def hold(self, reason: Hashable) -> None:
        pass

    def release(self, reason: Hashable) -> None:
        pass

    def handle_deferred(self, frames: Sequence[Frame]) -> None:
        pass


_GONE: Final = _Gone()


class RequestQueue:
    """Begins requests, counts them and keeps what comes behind too many.

    Attributes:
        begun: Requests since the connection was made.
    """

    def __init__(
        self,
        requester: Requester,
        limits: Limits,
        scope: TaskScope,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.begun = 0
        self._requester: Requester = requester
        self._most = limits.max_pending_requests_per_connection
        self._per_turn = limits.max_requests_per_turn
        self._scope = scope
        self._loop = loop
        # Each request takes several turns: were thousands in work, a turn would be as long again.
        self._few = min(self._most, _TURNS_IN_WORK * self._per_turn)
        self._pending = 0
        self._deferred: Sequence[Frame] = ()
        self._scheduled = False

    @property
    def turn_ends_at(self) -> int:
        """`begun` at which a turn that starts now has begun enough."""
        return self.begun + self._per_turn

    def begin(
        self,
        work: Coroutine[Any, Any, None],
        refuse: Callable[[BrokerError], None],
        name: str,
    ) -> None:
        """Do the work of a request beside the commands that follow; `refuse` tells its failure."""
        self.begun += 1
        self._pending += 1
        if self._pending >= self._most:
            self._requester.hold(REQUESTS)
        task = self._scope.spawn(self._run(work, refuse, name), name=name)
        # Cancelled before its first step it would leave the work as never awaited.
        task.add_done_callback(lambda _: work.close())

    def defer(self, frames: Sequence[Frame]) -> None:
        """Keep these for a later turn, or until fewer requests are in work."""
        assert not self._deferred, "a connection that waits is not read"
        if not frames:
            return
        self._deferred = frames
        self._requester.hold(DEFERRED)
        self._schedule()

    def forget(self) -> None:
        """The connection is gone: nothing has its turn any more.

        It is let go of, so that it is freed at once and not when the collector comes by: until then
        its receive buffer would count.
        """
        self._deferred = ()
        self._requester = _GONE

    def _schedule(self) -> None:
        if self._deferred and self._pending < self._few and not self._scheduled:
            self._scheduled = True
            self._loop.call_later(_PAUSE_S, self._go_on)

    def _go_on(self) -> None:
        self._scheduled = False
        frames, self._deferred = self._deferred, ()
        if not frames:
            return
        self._requester.handle_deferred(frames)
        if not self._deferred:
            self._requester.release(DEFERRED)

    async def _run(
        self, work: Awaitable[None], refuse: Callable[[BrokerError], None], name: str
    ) -> None:
        try:
            await work
        except OUTSIDE_ERRORS as error:
            refuse(as_broker_error(error))
        except Exception as error:  # noqa: BLE001 - it must not end the service of all others
            report_bug(f"{name} of {self._requester.remote_address} failed", error)
            refuse(as_broker_error(error))
        finally:
            self._ended()

    def _ended(self) -> None:
        self._pending -= 1
        if 2 * self._pending <= self._most:
            self._requester.release(REQUESTS)
        self._schedule()
