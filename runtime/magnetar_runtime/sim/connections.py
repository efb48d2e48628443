"""An open connection of a simulated network, and the ways in which it breaks."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from magnetar_runtime.sim.links import RETRANSMIT_LIMIT_S
from magnetar_runtime.sim.pipe import Pipe, reset_error
from magnetar_runtime.sim.transport import SimTransport

if TYPE_CHECKING:
    from magnetar_runtime.sim.hosts import SimHost

Address = tuple[str, int]


class SimConnection:
    """Two transports and what is between them.

    Args:
        up, down: from the client to the server, and back.
        client_address, server_address: as `sockname` and `peername` tell them.

    Attributes:
        client, server: The hosts.
        client_end, server_end: Their transports.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        rng: Random,
        hosts: tuple[SimHost, SimHost],
        addresses: tuple[Address, Address],
        pipes: tuple[Pipe, Pipe],
    ) -> None:
        self.client, self.server = hosts
        self._loop = loop
        self._up, self._down = pipes
        self._unanswered = self._forgotten = False
        for pipe in pipes:
            pipe.on_break = self.reset
            pipe.on_void = self._sent_into_the_void
        own, peer = addresses
        extra = {"sockname": own, "peername": peer}
        self.client_end = SimTransport(loop, rng, self._down, self._up, extra)
        extra = {"sockname": peer, "peername": own}
        self.server_end = SimTransport(loop, rng, self._up, self._down, extra)

    @property
    def is_open(self) -> bool:
        """Whether one of its ends is left."""
        return not (self.client_end.is_gone and self.server_end.is_gone)

    def joins(self, host: SimHost) -> bool:
        """Whether this host has an end of it."""
        return host is self.client or host is self.server

    def reset(self) -> None:
        """Break it: both ends find it reset, and what is under way is lost."""
        self._end(reset_error)

    def reset_after(self, *, sent_bytes: int = 0, received_bytes: int = 0) -> None:
        """Break it in mid-stream: when the server has received so many more bytes of the client, or
        the client of the server."""
        if sent_bytes:
            self._up.reset_after_bytes = sent_bytes
        if received_bytes:
            self._down.reset_after_bytes = received_bytes

    def go_silent(self) -> None:
        """Let nothing arrive any more and tell nobody: half-open. Who sends gives up in time."""
        self._up.die()
        self._down.die()

    def lose_end(self, host: SimHost, *, silently: bool) -> None:
        """The process of this host is no more; its peer is told by a reset, or never."""
        (self.client_end if host is self.client else self.server_end).vanish()
        if silently:
            self.go_silent()
        else:
            self.reset()

    def power_is_back(self) -> None:
        """A host has forgotten this connection: it answers by a reset what it does not know."""
        self._forgotten = True
        if self._unanswered:
            self.reset()

    def _sent_into_the_void(self) -> None:
        if self._forgotten:
            self._loop.call_at(self._up.link.arrival_s(0), self.reset)
        elif not self._unanswered:
            self._unanswered = True
            self._loop.call_later(RETRANSMIT_LIMIT_S, self._end, _timeout_error)

    def _end(self, error: Callable[[], OSError]) -> None:
        self.go_silent()
        for end in (self.client_end, self.server_end):
            if not end.is_gone:
                end.reset_arrived(error())


def _timeout_error() -> OSError:
    return TimeoutError(errno.ETIMEDOUT, "Connection timed out")
