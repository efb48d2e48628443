"""Whether a peer lives: ticks and probes, without a socket or a clock."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from magnetar_broker import answers
from magnetar_broker.liveness import Liveness


class Peer:
    """A connection as `Liveness` sees it."""

    def __init__(self) -> None:
        self.remote_address = "127.0.0.1:50000"
        self.closed = False
        self.aborted = False
        self.held = False
        self.taken_bytes: int | None = None
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True


class ManualTimers:
    """A loop whose timers tests fire."""

    def __init__(self) -> None:
        self.timers: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = []

    def create_future(self) -> asyncio.Future[bool]:
        return asyncio.get_running_loop().create_future()

    def call_later(self, delay: float, callback: Callable[..., None], *args: Any) -> Any:
        self.timers.append((delay, callback, args))
        return asyncio.get_running_loop().call_later(3600, callback, *args)

    def fire(self) -> float:
        [(delay, callback, args)] = self.timers
        callback(*args)
        return delay


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def timers() -> ManualTimers:
    return ManualTimers()


@pytest.fixture
def liveness(timers: ManualTimers) -> Liveness:
    return Liveness(timers, 5000)  # type: ignore[arg-type]


async def test_a_dead_peer_is_cut_off(peer: Peer, timers: ManualTimers, liveness: Liveness) -> None:
    probe = asyncio.ensure_future(liveness.check(peer))
    await asyncio.sleep(0)
    assert peer.sent == [answers.PING]
    assert timers.fire() == 5.0
    assert await probe is False
    assert peer.aborted
    assert await liveness.check(peer) is False


async def test_anything_received_answers_all_probes(peer: Peer, liveness: Liveness) -> None:
    probes = [asyncio.ensure_future(liveness.check(peer)) for _ in range(2)]
    await asyncio.sleep(0)
    liveness.received()
    assert await asyncio.gather(*probes) == [True, True]


async def test_a_peer_that_we_hold_back_is_not_judged_by_the_probe(
    peer: Peer, timers: ManualTimers, liveness: Liveness
) -> None:
    peer.held = True
    probe = asyncio.ensure_future(liveness.check(peer))
    await asyncio.sleep(0)
    timers.fire()
    assert await probe is True
    assert not peer.closed


async def test_a_late_timer_finds_its_answer_given(
    peer: Peer, timers: ManualTimers, liveness: Liveness
) -> None:
    probe = asyncio.ensure_future(liveness.check(peer))
    await asyncio.sleep(0)
    liveness.received()
    timers.fire()
    assert await probe is True
    assert not peer.closed


def test_silence_from_tick_to_tick_ends_a_connection(peer: Peer, liveness: Liveness) -> None:
    liveness.received()
    liveness.tick(peer, connected=True)
    assert peer.sent == [answers.PING]
    liveness.tick(peer, connected=True)
    assert peer.aborted


def test_silence_of_a_peer_that_is_held_does_not(peer: Peer, liveness: Liveness) -> None:
    peer.held = True
    for _ in range(3):
        liveness.tick(peer, connected=True)
    assert not peer.closed


def test_a_peer_that_takes_nothing_for_two_intervals_is_cut_off(
    peer: Peer, liveness: Liveness
) -> None:
    peer.held, peer.taken_bytes = True, 7
    liveness.received()
    for _ in range(3):
        assert not peer.aborted
        liveness.tick(peer, connected=True)
    assert peer.aborted


def test_a_peer_that_takes_little_is_not(peer: Peer, liveness: Liveness) -> None:
    peer.held = True
    for taken_bytes in (0, 0, 1, 1, 2, None, 2, 2):
        peer.taken_bytes = taken_bytes
        liveness.tick(peer, connected=True)
    assert not peer.closed


def test_a_handshake_has_one_interval(peer: Peer, liveness: Liveness) -> None:
    liveness.received()
    liveness.tick(peer, connected=False)
    assert peer.closed
    assert not peer.aborted
