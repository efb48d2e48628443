"""Latency, bandwidth, order, and lines that are down."""

from random import Random

from magnetar_runtime.sim import CALM, SimLoop
from magnetar_runtime.sim.links import RETRANSMIT_LIMIT_S, Flight, Link, LinkShape

SHAPE = LinkShape(latency_min_us=1_000, latency_max_us=5_000, bytes_per_second=1_000)


class Way:
    """A link and what arrived over it, when."""

    def __init__(self, shape: LinkShape = SHAPE) -> None:
        self.loop = SimLoop(shape=CALM)
        self.link = Link(self.loop, Random(1), shape)
        self.arrived: list[tuple[int, float]] = []
        self.given_up = 0
        self.flight = self.new_flight()

    def new_flight(self) -> Flight[int]:
        def arrive(item: int) -> None:
            self.arrived.append((item, self.loop.time()))

        return Flight(self.loop, self.link, arrive, self._give_up)

    def _give_up(self) -> None:
        self.given_up += 1

    def run(self, until_s: float) -> list[int]:
        self.loop.call_at(until_s, self.loop.stop)
        self.loop.run_forever()
        return [item for item, _ in self.arrived]

    def close(self) -> None:
        self.loop.close()


def test_bytes_take_their_time_and_keep_their_order() -> None:
    way = Way()
    for number in range(20):
        way.flight.send(number, 100)
    assert way.run(60) == list(range(20))
    times = [time for _, time in way.arrived]
    assert times == sorted(times)
    assert all(0.001 <= time - 0.1 * (n + 1) <= 0.005 + 1e-9 for n, time in enumerate(times))
    way.close()


def test_a_link_is_shared() -> None:
    way = Way()
    way.flight.send(1, 1_000)
    way.new_flight().send(2, 1_000)
    way.run(60)
    assert way.arrived[1][1] > 2.0
    way.close()


def test_nothing_arrives_over_a_blocked_link_and_all_does_afterwards() -> None:
    way = Way()
    way.flight.send(1, 0)
    way.link.block()
    way.flight.send(2, 0)
    assert way.run(10) == []
    way.link.unblock()
    assert way.run(20) == [1, 2]
    way.flight.send(3, 0)
    assert way.run(30) == [1, 2, 3]
    assert way.given_up == 0
    way.close()


def test_tcp_gives_up_a_link_that_stays_blocked() -> None:
    way = Way()
    way.link.block()
    way.flight.send(1, 0)
    way.run(RETRANSMIT_LIMIT_S - 1)
    assert way.given_up == 0
    way.run(RETRANSMIT_LIMIT_S + 1)
    assert way.given_up == 1
    way.link.unblock()
    assert way.run(RETRANSMIT_LIMIT_S + 10) == []
    way.close()


def test_what_is_dropped_never_arrives() -> None:
    way = Way()
    way.flight.send(1, 0)
    way.flight.drop()
    way.flight.send(2, 0)
    assert way.run(1) == [2]
    way.link.block()
    way.flight.send(3, 0)
    way.run(2)
    way.flight.drop()
    way.link.unblock()
    assert way.run(3) == [2]
    way.close()


def test_cuts_are_drawn() -> None:
    way = Way(LinkShape(cut_chance=0.5))
    cuts = [way.link.cut(100) for _ in range(200)]
    assert 60 < cuts.count(100) < 140
    assert len(set(cuts)) > 40
    assert min(cuts) >= 1
    way.link.shape = LinkShape(cut_chance=0.0)
    assert {way.link.cut(100) for _ in range(20)} == {100}
    way.close()


def test_shapes_are_drawn() -> None:
    shapes = {LinkShape.draw(Random(seed)) for seed in range(100)}
    assert len(shapes) > 50
    assert all(shape.latency_min_us <= shape.latency_max_us for shape in shapes)
