"""Two protocols joined by a pipe: order, pauses, ends."""

import asyncio
from typing import Any

from magnetar_broker.inner_client.pipe import join_by_pipe


class Side(asyncio.BufferedProtocol):
    """Remembers what it is told."""

    def __init__(self, room: int = 1000) -> None:
        self.transport: Any = None
        self.got = b""
        self.events: list[str] = []
        self._buffer = bytearray(room)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.got += self._buffer[:nbytes]
        if self.got.endswith(b"fail"):
            raise ValueError(self.got)

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")

    def connection_lost(self, error: Exception | None) -> None:
        self.events.append("lost")


def joined(room: int = 1000) -> tuple[Side, Side]:
    left, right = Side(), Side(room)
    join_by_pipe(asyncio.get_running_loop(), left, right, peername=("1.2.3.4", 5))
    return left, right


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_bytes_arrive_in_a_later_turn_in_order_and_in_pieces() -> None:
    left, right = joined(room=3)
    left.transport.write(b"hello")
    left.transport.writelines([b" ", b"you"])
    assert right.got == b""
    await turns()
    assert right.got == b"hello you"
    assert left.transport.get_extra_info("peername") == ("1.2.3.4", 5)


async def test_who_does_not_read_pauses_the_writer() -> None:
    left, right = joined()
    left.transport.set_write_buffer_limits(10)
    right.transport.pause_reading()
    left.transport.write(b"x" * 11)
    await turns()
    assert (left.events, right.got) == (["pause"], b"")
    assert left.transport.get_write_buffer_size() == 11
    right.transport.resume_reading()
    await turns()
    assert (left.events, len(right.got)) == (["pause", "resume"], 11)


async def test_close_delivers_what_was_written_and_then_both_are_lost() -> None:
    left, right = joined()
    left.transport.write(b"last")
    left.transport.close()
    left.transport.write(b"too late")
    await turns()
    assert right.got == b"last"
    assert (left.events, right.events) == (["lost"], ["lost"])
    right.transport.close()
    await turns()
    assert right.events == ["lost"]


async def test_abort_delivers_nothing() -> None:
    left, right = joined()
    left.transport.write(b"never")
    left.transport.abort()
    await turns()
    assert (right.got, left.events, right.events) == (b"", ["lost"], ["lost"])


async def test_a_protocol_that_fails_ends_its_pipe() -> None:
    left, right = joined()
    left.transport.write(b"fail")
    await turns()
    assert (left.events, right.events) == (["lost"], ["lost"])
