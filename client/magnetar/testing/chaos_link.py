"""One connection through the fault proxy: two ends, and what is wrong between them."""

import asyncio
import socket
from collections.abc import Callable
from struct import pack
from typing import Final

_RESETS: Final = pack("ii", 1, 0)  # SO_LINGER that sends RST on close

Told = Callable[["Link"], None]


class End(asyncio.Protocol):
    """One end of a link. It is not read while there is a reason to hold it."""

    def __init__(self, link: "Link") -> None:
        self.link = link
        self.transport: asyncio.Transport | None = None
        self.closed = False
        self.said_all = False
        self._reasons: set[str] = set()
        self._kept = b""  # came all the same

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.link.opened(self)

    def data_received(self, data: bytes) -> None:
        if not self._reasons:
            self.link.forward(self, data)
            return
        # uvloop begins to read after connection_made, whatever was paused before or in it.
        self._kept += data
        assert self.transport is not None
        self.transport.pause_reading()

    def eof_received(self) -> bool:
        self.said_all = True
        self.link.forward_eof(self)
        return True  # the other way stays open

    def pause_writing(self) -> None:
        self.link.other(self).hold("full")

    def resume_writing(self) -> None:
        self.link.other(self).release("full")

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        self.link.ended(self)

    def hold(self, reason: str) -> None:
        """Do not read until the reason is gone."""
        if not self._reasons and self.transport is not None and not self.closed:
            self.transport.pause_reading()
        self._reasons.add(reason)

    def release(self, reason: str) -> None:
        """A reason not to read is gone."""
        if reason not in self._reasons:
            return
        self._reasons.remove(reason)
        if self._reasons or self.transport is None or self.closed:
            return
        self.transport.resume_reading()
        if self._kept:
            kept, self._kept = self._kept, b""
            self.link.forward(self, kept)

    def close(self) -> None:
        """Close it when all is written."""
        if self.transport is not None and not self.closed:
            self.transport.close()

    def reset(self) -> None:
        """Close it at once; the peer gets a reset."""
        if self.transport is None or self.closed:
            return
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETS)
        self.transport.abort()


class Link:
    """A client's connection and the one to the server that belongs to it.

    Attributes:
        client: the end that a client opened.
        server: the end that the proxy opened.
        bytes_per_s: no more get through each way; 0 is no bound.
    """

    def __init__(self, begin: Told, forget: Told) -> None:
        self.client = End(self)
        self.server = End(self)
        self.bytes_per_s = 0
        self._begin = begin
        self._forget = forget
        self._bytes_until_reset: int | None = None
        self._server_lost = False
        self._over = False
        self.client.hold("no server yet")

    def other(self, end: End) -> End:
        """The end opposite."""
        return self.server if end is self.client else self.client

    def opened(self, end: End) -> None:
        """An end is open: the client's comes first."""
        if end is self.client:
            self._begin(self)
        elif self._over:
            end.reset()
        else:
            self.client.release("no server yet")

    def forward(self, source: End, data: bytes) -> None:
        """Hand bytes to the other end, or lose them."""
        if self._server_lost or self._over:
            return
        target = self.other(source)
        if self._bytes_until_reset is not None:
            data = data[: self._bytes_until_reset]
            self._bytes_until_reset -= len(data)
        if target.transport is not None and not target.closed:
            target.transport.write(data)
        if self._bytes_until_reset == 0:
            # What was written must leave before the reset does, to end inside of a frame.
            self._over = True
            asyncio.get_running_loop().call_soon(self.reset)
        elif self.bytes_per_s:
            source.hold("slow")
            delay_s = len(data) / self.bytes_per_s
            asyncio.get_running_loop().call_later(delay_s, source.release, "slow")

    def forward_eof(self, source: End) -> None:
        """One end has no more to say."""
        if self.other(source).said_all:
            self.cut()  # once all is written
            return
        target = self.other(source).transport
        if target is not None and not self.other(source).closed and target.can_write_eof():
            target.write_eof()

    def ended(self, end: End) -> None:
        """An end is closed: so is the other, unless the client must not know."""
        if end is self.server and self._server_lost:
            return
        self._over = True
        self.other(end).close()
        if self.client.closed and (self.server.closed or self.server.transport is None):
            self._forget(self)

    def cut(self) -> None:
        """Close both ends."""
        self._over = True
        self.client.close()
        self.server.close()

    def reset(self) -> None:
        """Reset both ends."""
        self._over = True
        self.client.reset()
        self.server.reset()

    def reset_after(self, count_bytes: int) -> None:
        """Reset both ends when so many more bytes came through."""
        self._bytes_until_reset = count_bytes
        if count_bytes == 0:
            self.reset()

    def stall(self) -> None:
        """Let nothing through."""
        self.client.hold("stall")
        self.server.hold("stall")

    def lose_server(self) -> None:
        """Reset the server's end; the client is not told."""
        self._server_lost = True
        self.client.release("no server yet")
        self.client.release("full")
        self.server.reset()

    def heal(self) -> None:
        """Let all through again."""
        self.bytes_per_s = 0
        self.client.release("stall")
        self.server.release("stall")
        if self._server_lost:
            self.reset()
            self._forget(self)
