"""One direction of a connection."""

from random import Random

from magnetar_runtime.sim import CALM, SimLoop, Trace
from magnetar_runtime.sim.links import Link, LinkShape
from magnetar_runtime.sim.pipe import Pipe

SHAPE = LinkShape(window_bytes=100)


class Ends:
    """Both ends of a pipe, which note what they are told."""

    def __init__(self) -> None:
        self.loop = SimLoop(shape=CALM)
        self.there = Link(self.loop, Random(1), SHAPE)
        self.back = Link(self.loop, Random(2), SHAPE)
        self.trace = Trace()
        self.pipe = Pipe(self.loop, self.trace, self.there, self.back, "a>b")
        self.pipe.sender = self.pipe.receiver = self
        self.told: list[object] = []

    def bytes_arrived(self, data: bytes) -> None:
        self.told.append(data)

    def end_arrived(self) -> None:
        self.told.append("end")

    def reset_arrived(self, error: OSError) -> None:
        self.told.append(type(error))

    def room_made(self) -> None:
        self.told.append(self.pipe.room_bytes)

    def run(self, seconds: float = 1.0) -> list[object]:
        self.loop.call_later(seconds, self.loop.stop)
        self.loop.run_forever()
        told, self.told = self.told, []
        return told

    def close(self) -> None:
        self.loop.close()


def test_bytes_and_the_end_arrive_in_order_and_stand_in_the_trace() -> None:
    ends = Ends()
    ends.pipe.send(b"one")
    ends.pipe.send(b"two")
    ends.pipe.send_end()
    assert ends.run() == [b"one", b"two", "end"]
    assert [line.split(" ", 1)[1] for line in ends.trace.tail()] == [
        "a>b bytes",
        "a>b bytes",
        "a>b end",
    ]
    ends.close()


def test_room_is_made_when_the_receiver_takes_and_the_sender_hears_of_it() -> None:
    ends = Ends()
    ends.pipe.send(b"x" * 60)
    assert ends.pipe.room_bytes == 40
    ends.run()
    assert ends.pipe.room_bytes == 40
    ends.back.block()
    ends.pipe.consumed(50)
    assert ends.run() == []
    ends.back.unblock()
    assert ends.run() == [90]
    ends.close()


def test_a_reset_loses_what_is_under_way() -> None:
    ends = Ends()
    ends.pipe.send(b"lost")
    ends.pipe.send_reset()
    assert ends.run() == [ConnectionResetError]
    ends.close()


def test_a_reset_into_a_blocked_link_is_lost_itself() -> None:
    ends = Ends()
    ends.there.block()
    ends.pipe.send_reset()
    ends.there.unblock()
    assert ends.run(1000) == []
    ends.close()


def test_the_connection_breaks_in_mid_stream() -> None:
    ends = Ends()
    broken: list[bytes] = []
    ends.pipe.on_break = lambda: broken.append(b"".join(ends.told))  # type: ignore[arg-type]
    ends.pipe.reset_after_bytes = 7
    ends.pipe.send(b"01234")
    ends.pipe.send(b"56789")
    ends.run()
    assert broken == [b"0123456"]
    ends.close()


def test_the_sender_gives_up_in_the_end() -> None:
    ends = Ends()
    ends.there.block()
    ends.pipe.send(b"x")
    assert ends.run(1000) == [TimeoutError]
    ends.close()


def test_a_dead_pipe_says_so_to_nobody_but_its_connection() -> None:
    ends = Ends()
    into_the_void: list[bool] = []
    ends.pipe.on_void = lambda: into_the_void.append(True)
    ends.pipe.send(b"lost")
    ends.pipe.die()
    ends.pipe.send(b"void")
    ends.pipe.send_end()
    ends.pipe.consumed(1)
    assert ends.run(1000) == []
    assert into_the_void == [True]
    ends.close()
