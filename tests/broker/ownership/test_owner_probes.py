"""An owner that does not answer is lost for as long as its session may last, and no longer."""

import asyncio
import socket
from typing import Any

import pytest
from magnetar_broker.ownership import owner_probes
from magnetar_broker.ownership.owner_probes import KEPT_MS, KEPT_UNREACHED_MS, OwnerProbes
from magnetar_runtime.network import SystemNetwork

from tests.broker.consuming import FakeClock

URL = "pulsar://somewhere:6650"
SESSION_MS = 20 * KEPT_MS


class Peer:
    """A network with one listener, or none."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.hangs = False
        self.asked: list[tuple[str, int]] = []
        self.closed = 0

    def close(self) -> None:
        self.closed += 1

    async def connect(self, make: Any, host: str, port: int, ssl: Any = None) -> tuple[Any, Any]:
        self.asked.append((host, port))
        if self.hangs:
            await asyncio.sleep(60)
        if self.error is not None:
            raise self.error
        return self, make()


@pytest.fixture
def peer() -> Any:
    return Peer()


async def test_who_answers_is_asked_seldom(peer: Any) -> None:
    clock = FakeClock()
    probes = OwnerProbes(peer, clock, SESSION_MS)
    assert await asyncio.gather(*(probes.is_lost(URL) for _ in range(5))) == [False] * 5
    clock.now_ms += KEPT_MS
    assert not await probes.is_lost(URL)
    assert peer.asked == [("somewhere", 6650)] * 2
    assert peer.closed == 2


async def test_who_refuses_is_lost_until_a_session_must_have_ended(peer: Any) -> None:
    clock = FakeClock()
    probes = OwnerProbes(peer, clock, SESSION_MS)
    peer.error = ConnectionRefusedError()
    assert await probes.is_lost(URL)
    clock.now_ms += SESSION_MS
    assert await probes.is_lost(URL)
    clock.now_ms += SESSION_MS
    assert not await probes.is_lost(URL)  # it is this broker alone that does not reach it
    peer.error = None
    clock.now_ms += KEPT_UNREACHED_MS
    assert not await probes.is_lost(URL)
    peer.error = ConnectionRefusedError()
    clock.now_ms += KEPT_MS
    assert await probes.is_lost(URL)


async def test_who_is_never_reached_is_asked_seldom_and_not_waited_for(
    peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every lookup of its bundles would wait for the next connection that nobody takes."""
    clock = FakeClock()
    probes = OwnerProbes(peer, clock, SESSION_MS)
    peer.error = ConnectionRefusedError()
    assert await probes.is_lost(URL)
    for _ in range(2):
        clock.now_ms += SESSION_MS
        lost = await probes.is_lost(URL)
    assert not lost
    asked = len(peer.asked)
    for _ in range(KEPT_UNREACHED_MS // KEPT_MS - 1):
        clock.now_ms += KEPT_MS
        assert not await probes.is_lost(URL)
    assert len(peer.asked) == asked
    clock.now_ms += KEPT_MS
    peer.hangs = True
    monkeypatch.setattr(owner_probes, "_CONNECT_TIMEOUT_MS", 10_000)
    asking = asyncio.ensure_future(probes.is_lost(URL))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert not await probes.is_lost(URL)
    assert len(peer.asked) == asked + 1
    assert not asking.done()
    asking.cancel()


async def test_who_was_not_asked_for_long_is_lost_anew(peer: Any) -> None:
    """It may have been there in between, with a session that lasts yet."""
    clock = FakeClock()
    probes = OwnerProbes(peer, clock, SESSION_MS)
    peer.error = ConnectionRefusedError()
    assert await probes.is_lost(URL)
    clock.now_ms += 100 * SESSION_MS
    assert await probes.is_lost(URL)
    clock.now_ms += SESSION_MS
    assert await probes.is_lost(URL)
    clock.now_ms += SESSION_MS
    assert not await probes.is_lost(URL)


async def test_a_host_that_says_nothing_is_lost(peer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner_probes, "_CONNECT_TIMEOUT_MS", 10)
    peer.hangs = True
    assert await OwnerProbes(peer, FakeClock(), SESSION_MS).is_lost(URL)


@pytest.mark.parametrize("url", ["", "pulsar://x", "pulsar://x:port", "pulsar://[x:1"])
async def test_an_address_that_says_nothing_is_not_asked(peer: Any, url: str) -> None:
    assert not await OwnerProbes(peer, FakeClock(), SESSION_MS).is_lost(url)
    assert peer.asked == []


async def test_without_a_network_nobody_is_lost() -> None:
    assert not await OwnerProbes(None, FakeClock(), SESSION_MS).is_lost(URL)


async def test_a_real_socket() -> None:
    clock = FakeClock()
    probes = OwnerProbes(SystemNetwork(), clock, SESSION_MS)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"pulsar://127.0.0.1:{server.getsockname()[1]}"
        assert not await probes.is_lost(url)
    clock.now_ms += KEPT_MS
    assert await probes.is_lost(url)


async def test_addresses_are_not_kept_for_ever(peer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner_probes, "_MOST_ADDRESSES", 3)
    probes = OwnerProbes(peer, FakeClock(), SESSION_MS)
    for port in range(1, 20):
        await probes.is_lost(f"pulsar://x:{port}")
        assert len(probes._found) <= 3
