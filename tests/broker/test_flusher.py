"""One flush per connection and turn of the loop."""

import asyncio
from typing import Any

from magnetar_broker.flusher import Flusher


class Sender:
    def __init__(self) -> None:
        self.flushes = 0
        self.on_flush: Any = None

    def flush(self) -> None:
        self.flushes += 1
        if self.on_flush is not None:
            self.on_flush()


async def test_flushed_at_the_end_of_the_turn() -> None:
    flusher = Flusher(asyncio.get_running_loop())
    senders: list[Any] = [Sender(), Sender()]
    for sender in senders:
        flusher.add(sender)
    assert [sender.flushes for sender in senders] == [0, 0]
    await asyncio.sleep(0)
    assert [sender.flushes for sender in senders] == [1, 1]
    await asyncio.sleep(0)
    assert [sender.flushes for sender in senders] == [1, 1]


class Writable(Sender):
    writable = True

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True


async def test_what_is_held_back_leaves_when_it_is_released() -> None:
    may_send = False
    flusher = Flusher(asyncio.get_running_loop(), lambda: may_send)
    first: Any = Writable()
    second: Any = Writable()
    flusher.release()  # nothing is held
    flusher.add(first)
    await asyncio.sleep(0)
    assert flusher.held
    assert not first.writable  # nothing is made that would only wait
    flusher.add(second)
    await asyncio.sleep(0)
    assert (first.flushes, second.flushes, second.writable) == (0, 0, False)
    may_send = True
    flusher.release()
    assert first.writable
    await asyncio.sleep(0)
    assert (first.flushes, second.flushes, flusher.held) == (1, 1, False)


async def test_who_could_not_take_more_before_is_left_so() -> None:
    flusher = Flusher(asyncio.get_running_loop(), lambda: False)
    full: Any = Writable()
    full.writable = False
    flusher.add(full)
    await asyncio.sleep(0)
    flusher.release()
    assert not full.writable


async def test_what_is_added_while_flushing_comes_next() -> None:
    flusher = Flusher(asyncio.get_running_loop())
    first: Any = Sender()
    second: Any = Sender()
    first.on_flush = lambda: flusher.add(second)
    flusher.add(first)
    await asyncio.sleep(0)
    assert (first.flushes, second.flushes) == (1, 0)
    await asyncio.sleep(0)
    assert (first.flushes, second.flushes) == (1, 1)
