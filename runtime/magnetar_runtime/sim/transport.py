"""A transport in memory: asyncio's contract, with the freedom of uvloop's.

It reads what was written as late as uvloop may: at the end of the turn, or when there is room. It
overwrites every receive buffer that a protocol offers: behind what it received, and once more when
the protocol has taken that. So a view that outlives its callback, and a change of what was written,
show.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any, Final

from magnetar_runtime.limits import KIB
from magnetar_runtime.sim.pipe import Pipe

_HIGH_WATER_BYTES: Final = 64 * KIB
_RECEIVE_MAX_BYTES: Final = 256 * KIB
_WAKE_MAX_US: Final = 50
_JUNK: Final = b"\xdb" * (64 * KIB)

Buffer = bytes | bytearray | memoryview


class SimTransport(asyncio.Transport):
    """One end of a connection.

    Args:
        incoming, outgoing: the two directions.
        extra: answers of `get_extra_info`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        rng: Random,
        incoming: Pipe,
        outgoing: Pipe,
        extra: Mapping[str, Any],
    ) -> None:
        super().__init__(extra)
        self._loop = loop
        self._rng = rng
        self._incoming = incoming
        self._outgoing = outgoing
        incoming.receiver = outgoing.sender = self
        self._protocol: asyncio.BaseProtocol | None = None
        # Reading.
        self._inbox = bytearray()
        self._end_arrived = False
        self._reset: OSError | None = None
        self._paused = True
        self._read_timer: asyncio.TimerHandle | None = None
        # Writing.
        self._outbox: deque[memoryview] = deque()
        self._outbox_bytes = 0
        self._high_bytes = _HIGH_WATER_BYTES
        self._low_bytes = _HIGH_WATER_BYTES // 4
        self._writing_paused = False
        self._flush_scheduled = False
        self._eof_written = False
        self._end_sent = False
        # Life.
        self._closing = False
        self._lost = False  # connection_lost is scheduled
        self._gone = False  # connection_lost was called
        self._vanished = False  # and never will be

    # The network's side.

    def start(self, protocol: asyncio.BaseProtocol) -> None:
        """The connection is open: tell the protocol, begin to read."""
        self._protocol = protocol
        self._guarded("connection_made", protocol.connection_made, self)
        if not self._closing:
            self._paused = False
            self._schedule_read()

    def bytes_arrived(self, data: bytes) -> None:
        """Into the socket's buffer."""
        if self._gone:
            self._outgoing.send_reset()
            return
        self._inbox += data
        self._schedule_read()

    def end_arrived(self) -> None:
        """The peer sends no more."""
        self._end_arrived = True
        self._schedule_read()

    def reset_arrived(self, error: OSError) -> None:
        """The connection is broken: who reads or writes learns it, who pauses does not."""
        self._reset = error
        if self._rng.random() < 0.5:
            self._inbox.clear()  # some systems drop what was not read yet
        self._schedule_read()
        if self._outbox:
            self._force_close(error)

    def vanish(self) -> None:
        """The process of this end is no more: its protocol is told nothing, and what it still does
        has no effect."""
        self._vanished = self._lost = self._gone = self._closing = True
        self._paused = True
        self._inbox.clear()
        self._outbox.clear()
        self._protocol = None

    def room_made(self) -> None:
        """The network takes more."""
        self._flush()

    # Reading.

    def is_reading(self) -> bool:
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        self._ensure_alive()
        self._paused = True

    def resume_reading(self) -> None:
        self._ensure_alive()
        if self._closing or not self._paused:
            return
        self._paused = False
        self._schedule_read()

    def _schedule_read(self) -> None:
        due = self._inbox or self._end_arrived or self._reset is not None
        if due and self._read_timer is None and self.is_reading():
            wake_s = self._rng.randrange(_WAKE_MAX_US) / 1e6
            self._read_timer = self._loop.call_later(wake_s, self._read)

    def _read(self) -> None:
        self._read_timer = None
        if not self.is_reading():
            return
        if self._inbox:
            count = self._incoming.link.cut(min(len(self._inbox), _RECEIVE_MAX_BYTES))
            taken = self._guarded("receiving", self._deliver, bytes(self._inbox[:count]))
            if taken is not None:
                del self._inbox[:taken]
                self._incoming.consumed(taken)
        elif self._reset is not None:
            self._force_close(self._reset)
        else:
            self._paused = True  # there is nothing more to read, ever
            self._read_end()
            return
        self._schedule_read()

    def _deliver(self, data: bytes) -> int:
        protocol = self._protocol
        if not isinstance(protocol, asyncio.BufferedProtocol):
            assert isinstance(protocol, asyncio.Protocol)
            protocol.data_received(data)
            return len(data)
        view = memoryview(protocol.get_buffer(-1)).cast("B")
        count = min(len(view), len(data))
        if not count:
            raise RuntimeError("get_buffer() returned an empty buffer")
        view[:count] = data[:count]
        _overwrite(view[count:])
        protocol.buffer_updated(count)
        if self.is_reading():
            # As when a socket seemed readable and was not: the buffer is asked for and not used.
            _overwrite(memoryview(protocol.get_buffer(-1)).cast("B"))
        return count

    def _read_end(self) -> None:
        assert isinstance(self._protocol, asyncio.Protocol | asyncio.BufferedProtocol)
        keep_open = self._guarded("eof_received", self._protocol.eof_received)
        if not keep_open:
            self.close()

    # Writing.

    def write(self, data: Buffer) -> None:
        self.writelines((data,))

    def writelines(self, list_of_data: Iterable[Buffer]) -> None:
        self._ensure_alive()
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        views = [memoryview(data).cast("B") for data in list_of_data if len(data)]
        if self._closing or not views:
            return
        self._outbox.extend(views)
        self._outbox_bytes += sum(map(len, views))
        if self._outbox_bytes > self._high_bytes and not self._writing_paused:
            self._flush()
            self._pause_if_full()
        else:
            self._schedule_flush()

    def write_eof(self) -> None:
        self._ensure_alive()
        self._eof_written = True
        self._schedule_flush()

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return self._outbox_bytes

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low_bytes, self._high_bytes

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._ensure_alive()
        if high is None:
            high = _HIGH_WATER_BYTES if low is None else 4 * low
        low = high // 4 if low is None else low
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high_bytes, self._low_bytes = high, low
        self._pause_if_full()

    def _pause_if_full(self) -> None:
        if self._outbox_bytes > self._high_bytes and not self._writing_paused and self._protocol:
            self._writing_paused = True
            self._guarded("pause_writing", self._protocol.pause_writing)

    def _schedule_flush(self) -> None:
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush_soon)

    def _flush_soon(self) -> None:
        self._flush_scheduled = False
        self._flush()

    def _flush(self) -> None:
        """Give the network what it takes. Only now is looked at what was written."""
        if self._lost:
            return
        if self._outbox and self._reset is not None:
            self._force_close(self._reset)
            return
        pipe = self._outgoing
        while self._outbox and pipe.room_bytes:
            part = self._outbox.popleft()
            count = min(len(part), pipe.room_bytes, pipe.link.shape.segment_max_bytes)
            pipe.send(bytes(part[:count]))
            self._outbox_bytes -= count
            if count < len(part):
                self._outbox.appendleft(part[count:])
        if self._writing_paused and self._outbox_bytes <= self._low_bytes and self._protocol:
            self._writing_paused = False
            self._guarded("resume_writing", self._protocol.resume_writing)
        if not self._outbox and not self._lost:
            if self._closing:
                self._lose(None)
            elif self._eof_written:
                self._send_end()

    def _send_end(self) -> None:
        if not self._end_sent:
            self._end_sent = True
            self._outgoing.send_end()

    # Life.

    @property
    def is_gone(self) -> bool:
        """Whether the protocol was told of the end, or is no more."""
        return self._gone

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None, "the connection is over"
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        if self._outbox:
            self._schedule_flush()
        else:
            self._lose(None)

    def abort(self) -> None:
        self._ensure_alive()
        self._force_close(None)

    def _force_close(self, error: Exception | None) -> None:
        self._closing = True
        self._outbox.clear()
        self._outbox_bytes = 0
        self._lose(error)

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self._loop.call_soon(self._connection_lost, error)

    def _connection_lost(self, error: Exception | None) -> None:
        self._gone = True
        protocol, self._protocol = self._protocol, None
        if self._inbox:
            self._outgoing.send_reset()  # as a socket does that is closed with bytes unread
        elif self._reset is None:
            self._send_end()
        if protocol is not None:
            protocol.connection_lost(error)

    def _ensure_alive(self) -> None:
        """One of asyncio and uvloop raises, and which differs; found here, not in production."""
        if self._gone and not self._vanished:
            raise RuntimeError("the transport is used after connection_lost")

    def _guarded(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        """Call the protocol; a bug there ends the connection and is reported."""
        try:
            return call(*args)
        except Exception as error:  # noqa: BLE001 - reported, and ends the connection
            self._loop.call_exception_handler(
                {"message": f"the protocol failed in {name}", "exception": error, "transport": self}
            )
            self._force_close(error)
            return None


def _overwrite(view: memoryview) -> None:
    count = min(len(view), len(_JUNK))
    view[:count] = _JUNK[:count]
