"""Watches are armed before their hints, and again with each connection."""

import asyncio

import pytest
from magnetar_metadata.zookeeper_watches import ArmedWatches


class Server:
    """Notes what was armed."""

    def __init__(self) -> None:
        self.armed: list[str] = []
        self.watches = ArmedWatches(self.armed.append)


@pytest.fixture
def server() -> Server:
    server = Server()
    server.watches.connected()
    return server


@pytest.fixture(autouse=True)
async def loop() -> None:
    """Hints are given in the next turn."""


async def test_a_path_is_armed_once_until_it_fires(server: Server) -> None:
    hints: list[str] = []
    server.watches.watch("/a", hints.append)
    server.watches.watch("/a", hints.append)
    assert server.armed == ["/a"]
    server.watches.fired("/a")
    assert server.armed == ["/a", "/a"]
    assert hints == []  # armed first
    await asyncio.sleep(0)
    assert hints == ["/a", "/a"]


async def test_nobody_wants_what_fires_after_the_end(server: Server) -> None:
    server.watches.watch("/a", lambda _: None)()
    server.watches.fired("/a")
    assert server.armed == ["/a"]
    server.watches.watch("/a", lambda _: None)
    assert server.armed == ["/a", "/a"]


async def test_a_new_connection_arms_and_hints_all(server: Server) -> None:
    hints: list[str] = []
    server.watches.watch("/a", hints.append)
    server.watches.disconnected()
    server.watches.watch("/b", hints.append)
    server.watches.fired("/a")  # told late
    assert server.armed == ["/a"]
    server.watches.connected()
    assert server.armed == ["/a", "/a", "/b"]
    await asyncio.sleep(0)
    assert sorted(hints) == ["/a", "/b"]
