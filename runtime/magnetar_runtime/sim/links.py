"""Links between simulated hosts: how long things take on them, and whether they arrive at all."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Generic, Self, TypeVar

from magnetar_runtime.limits import KIB, MIB

RETRANSMIT_LIMIT_S: Final = 924.6
"""After so long without a sign of the peer TCP gives up: Linux' `tcp_retries2` = 15."""

_RETRANSMIT_MAX_NS: Final = 200_000_000
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkShape:
    """What a link is like, in one direction.

    Attributes:
        latency_min_us, latency_max_us: One way; drawn for each segment, which never overtakes
            another of its connection.
        bytes_per_second: Shared by all connections of the link.
        window_bytes: What a connection has on its way, the socket buffers of both ends included:
            more waits in the transport's own write buffer.
        segment_max_bytes: Bytes travel in pieces of at most so many.
        cut_chance: How often a receiver gets less than there is.
    """

    latency_min_us: int = 50
    latency_max_us: int = 500
    bytes_per_second: int = 125 * MIB
    window_bytes: int = 256 * KIB
    segment_max_bytes: int = 64 * KIB
    cut_chance: float = 0.3

    @classmethod
    def draw(cls, rng: Random) -> Self:
        """A link between a good machine room and a bad line over the ocean."""
        latency_us = rng.choice((10, 100, 1_000, 30_000))
        return cls(
            latency_min_us=latency_us,
            latency_max_us=latency_us * rng.choice((1, 2, 10)),
            bytes_per_second=rng.choice((1, 16, 125, 1_250)) * MIB,
            window_bytes=rng.choice((4, 64, 256, 1_024)) * KIB,
            segment_max_bytes=rng.choice((100, 1_448, 16 * KIB, 64 * KIB)),
            cut_chance=rng.choice((0.0, 0.1, 0.5, 1.0)),
        )


class Link:
    """One direction between two hosts.

    Attributes:
        shape: May be changed at any time.
        blocked: Nothing arrives; what is sent meanwhile arrives after the end of it, as TCP sends
            it again.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, rng: Random, shape: LinkShape) -> None:
        self.shape = shape
        self.blocked = False
        self._loop = loop
        self._rng = rng
        self._free_at_s = 0.0
        self._parked: list[Flight[Any]] = []

    def block(self) -> None:
        """Let nothing arrive any more."""
        self.blocked = True

    def unblock(self) -> None:
        """Let things arrive again."""
        self.blocked = False
        parked, self._parked = self._parked, []
        for flight in parked:
            flight.resume(self._rng.randrange(_RETRANSMIT_MAX_NS) / 1e9)

    def park(self, flight: "Flight[Any]") -> None:
        """Resume this flight when the link is open again."""
        self._parked.append(flight)

    def arrival_s(self, size_bytes: int) -> float:
        """When something that is sent now arrives, in the loop's time."""
        now = self._loop.time()
        self._free_at_s = max(self._free_at_s, now) + size_bytes / self.shape.bytes_per_second
        low, high = self.shape.latency_min_us, self.shape.latency_max_us
        return self._free_at_s + self._rng.randint(low, high) / 1e6

    def cut(self, available_bytes: int) -> int:
        """How much of what is there a receiver gets at once."""
        if available_bytes > 1 and self._rng.random() < self.shape.cut_chance:
            return self._rng.randint(1, available_bytes)
        return available_bytes


class Flight(Generic[Item]):
    """Things under way over a link, in order; `arrive` is called for each, in events of their own.

    Args:
        give_up: called when the link was closed for longer than TCP tries.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        link: Link,
        arrive: Callable[[Item], None],
        give_up: Callable[[], None] | None = None,
    ) -> None:
        self._loop = loop
        self._link = link
        self._arrive = arrive
        self._give_up = give_up
        self._items: deque[tuple[float, Item]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._limit: asyncio.TimerHandle | None = None

    def send(self, item: Item, size_bytes: int) -> None:
        """Begin the way of something; what was sent before arrives before."""
        due_s = self._link.arrival_s(size_bytes)
        self._items.append((due_s, item))
        if len(self._items) == 1 and self._limit is None:
            self._timer = self._loop.call_at(due_s, self._land)

    def drop(self) -> None:
        """Lose everything that is under way."""
        self._items.clear()
        for timer in (self._timer, self._limit):
            if timer is not None:
                timer.cancel()
        self._timer = self._limit = None

    def resume(self, after_s: float) -> None:
        """The link is open again: what was lost is sent again."""
        if self._limit is None:
            return  # dropped meanwhile
        self._limit.cancel()
        self._limit = None
        self._timer = self._loop.call_later(after_s, self._land)

    def _land(self) -> None:
        if self._link.blocked:
            self._link.park(self)
            self._limit = self._loop.call_later(RETRANSMIT_LIMIT_S, self._gave_up)
            return
        _, item = self._items.popleft()
        self._timer = None
        if self._items:
            self._timer = self._loop.call_at(self._items[0][0], self._land)
        self._arrive(item)

    def _gave_up(self) -> None:
        self.drop()
        if self._give_up is not None:
            self._give_up()
