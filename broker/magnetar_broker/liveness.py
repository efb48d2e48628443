"""Whether the peer of a connection still lives: what is heard of it, and the PINGs that ask."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from magnetar_broker import answers

log = logging.getLogger(__name__)

_STUCK_TICKS: Final = 2


class Peer(Protocol):
    """The connection, as far as its life is judged."""

    remote_address: str
    closed: bool

    @property
    def held(self) -> bool:
        """Whether reading is held: the peer cannot be heard, and is not judged by that."""

    @property
    def taken_bytes(self) -> int | None:
        """If reading is held as the peer reads nothing: a count that rises when it does."""

    def send(self, data: bytes) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class Liveness:
    """One connection's, which it does not hold: a lost connection must be freed at once.

    Attributes:
        heard: Whether anything came since the last keep-alive tick.
    """

    __slots__ = ("_loop", "_probes", "_stuck_ticks", "_taken_bytes", "_timeout_ms", "heard")

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout_ms: int) -> None:
        """Make it for probes that wait so long for an answer."""
        self._loop = loop
        self._timeout_ms = timeout_ms
        self._probes: list[asyncio.Future[bool]] = []
        self._taken_bytes: int | None = None
        self._stuck_ticks = 0
        self.heard = False

    def received(self) -> None:
        """Bytes came in."""
        self.heard = True
        if self._probes:
            self.settle(alive=True)

    def tick(self, peer: Peer, *, connected: bool) -> None:
        """One keep-alive interval has passed since the last call, or since the connection began."""
        if not connected:
            log.info("connection %s closed: no CONNECT in time", peer.remote_address)
            peer.close()
            return
        if not self.heard and not peer.held:
            log.info("connection %s closed: no answer to PING", peer.remote_address)
            peer.abort()
            return
        if self._is_stuck(peer):
            log.info("connection %s closed: it reads nothing", peer.remote_address)
            peer.abort()
            return
        self.heard = False
        peer.send(answers.PING)

    def _is_stuck(self, peer: Peer) -> bool:
        """Whether the peer took nothing of what waits for it during two intervals.

        Scenario: the machine of a consumer loses its power while much is on its way. It is held
        for that, and without this TCP alone would end it, in a quarter of an hour.
        """
        taken_bytes = peer.taken_bytes
        if taken_bytes is None or taken_bytes != self._taken_bytes:
            self._taken_bytes = taken_bytes
            self._stuck_ticks = 0
        else:
            self._stuck_ticks += 1
        return self._stuck_ticks >= _STUCK_TICKS

    async def check(self, peer: Peer) -> bool:
        """PING the peer; False (and the connection gone) if nothing comes back in time."""
        if peer.closed:
            return False
        probe: asyncio.Future[bool] = self._loop.create_future()
        self._probes.append(probe)
        peer.send(answers.PING)
        timer = self._loop.call_later(self._timeout_ms / 1000, self._timed_out, peer, probe)
        try:
            return await probe
        finally:
            timer.cancel()

    def _timed_out(self, peer: Peer, probe: asyncio.Future[bool]) -> None:
        if probe.done():
            return
        if peer.held:
            # We do not read it: it cannot be heard, and only we know why. It keeps what it owns.
            self.settle(alive=True)
        else:
            log.info("connection %s closed: it did not answer in time", peer.remote_address)
            self.settle(alive=False)
            peer.abort()

    def settle(self, *, alive: bool) -> None:
        """Answer everybody who asks."""
        probes, self._probes = self._probes, []
        for probe in probes:
            if not probe.done():
                probe.set_result(alive)
