"""One direction of a simulated connection: bytes, the end, or a reset, in TCP's order."""

import asyncio
import errno
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from magnetar_runtime.sim.links import Flight, Link
from magnetar_runtime.sim.trace import Trace


class Signal(Enum):
    """What travels besides bytes."""

    END = "end"
    RESET = "reset"


class Receiver(Protocol):
    """The end that bytes come to."""

    def bytes_arrived(self, data: bytes) -> None: ...

    def end_arrived(self) -> None: ...

    def reset_arrived(self, error: OSError) -> None: ...


class Sender(Protocol):
    """The end that bytes come from."""

    def room_made(self) -> None: ...

    def reset_arrived(self, error: OSError) -> None: ...


class Pipe:
    """Carries one direction.

    Args:
        link: the way of the bytes.
        back: the way of the acknowledgements that make room for more.
        name: for the trace.

    Attributes:
        room_bytes: How much the sender may send now.
        sender, receiver: Its ends; set before anything is sent.
        reset_after_bytes: If set, the connection breaks when so many more bytes have arrived.
        on_break: Called when that happens.
        on_void: Called when something is sent that cannot arrive, as this end is dead.
    """

    sender: Sender
    receiver: Receiver

    def __init__(
        self, loop: asyncio.AbstractEventLoop, trace: Trace, link: Link, back: Link, name: str
    ) -> None:
        self.link = link
        self.room_bytes = link.shape.window_bytes
        self.reset_after_bytes: int | None = None
        self.on_break: Callable[[], None] | None = None
        self.on_void: Callable[[], None] | None = None
        self._loop = loop
        self._trace = trace
        self._name = name
        self._dead = False
        self._flight: Flight[bytes | Signal] = Flight(loop, link, self._arrived, self._timed_out)
        self._acks: Flight[int] = Flight(loop, back, self._acknowledged)

    def send(self, data: bytes) -> None:
        """Send bytes, no more than there is room for."""
        assert 0 < len(data) <= self.room_bytes
        self.room_bytes -= len(data)
        if not self._dead:
            self._flight.send(data, len(data))
        elif self.on_void is not None:
            self.on_void()

    def send_end(self) -> None:
        """No more bytes follow."""
        if not self._dead:
            self._flight.send(Signal.END, 0)

    def send_reset(self) -> None:
        """Break the connection: what is under way is lost."""
        self._flight.drop()
        if not self._dead and not self.link.blocked:  # nobody sends a reset twice
            self._flight.send(Signal.RESET, 0)

    def consumed(self, size_bytes: int) -> None:
        """The receiver has taken bytes out of its socket: tell the sender that there is room."""
        if not self._dead:
            self._acks.send(size_bytes, 0)

    def die(self) -> None:
        """Let nothing arrive any more, for ever: an end has lost its power."""
        self._dead = True
        self._flight.drop()
        self._acks.drop()

    def _arrived(self, item: bytes | Signal) -> None:
        now_ns = round(self._loop.time() * 1e9)
        if isinstance(item, Signal):
            self._trace.add(now_ns, f"{self._name} {item.value}")
            if item is Signal.END:
                self.receiver.end_arrived()
            else:
                self.receiver.reset_arrived(reset_error())
            return
        limit = self.reset_after_bytes
        if limit is not None:
            item, self.reset_after_bytes = item[:limit], limit - len(item)
        if item:
            self._trace.add(now_ns, f"{self._name} bytes", item)
            self.receiver.bytes_arrived(item)
        if limit is not None and limit <= len(item) and self.on_break is not None:
            self.on_break()

    def _acknowledged(self, size_bytes: int) -> None:
        self.room_bytes += size_bytes
        self.sender.room_made()

    def _timed_out(self) -> None:
        self.sender.reset_arrived(TimeoutError(errno.ETIMEDOUT, "Connection timed out"))


def reset_error() -> ConnectionResetError:
    """What a socket says whose peer has broken the connection."""
    return ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
