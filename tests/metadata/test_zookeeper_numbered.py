"""No numbered node is left that nobody knows of. With real replies: test_zookeeper."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from magnetar_metadata.errors import NoNodeError, UnknownOutcomeError
from magnetar_metadata.store import Node, Stat
from magnetar_metadata.zookeeper_client import Done, Link
from magnetar_metadata.zookeeper_numbered import NumberedNodes
from magnetar_metadata.zookeeper_session import ZooKeeperSession

SESSION = 7


class Client:
    """Serves at once, but replies to creates when the test says so."""

    def __init__(self) -> None:
        self.nodes: dict[str, int] = {}  # path -> owner
        self.replies: list[Callable[[], None]] = []
        self._next_number = 0

    def create(self, prefix: str, value: bytes, *kind: Any) -> None:
        *_, done = kind
        path = f"{prefix}{self._next_number:010d}"
        self._next_number += 1
        self.nodes[path] = SESSION
        self.replies.append(lambda: done(path, None))

    def children(self, path: str, done: Done) -> None:
        done(sorted(name.removeprefix(f"{path}/") for name in self.nodes), None)

    def get(self, path: str, done: Done) -> None:
        if path in self.nodes:
            done(Node(b"", Stat(0, 0, 0, self.nodes[path])), None)
        else:
            done(None, NoNodeError(path))

    def delete(self, path: str, version: int, done: Done) -> None:
        del self.nodes[path]
        done(None, None)


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
async def numbered(client: Client) -> AsyncIterator[NumberedNodes]:
    numbered = numbered_on(client, operation_timeout_ms=20)
    yield numbered
    await numbered.close()


def numbered_on(client: Client, operation_timeout_ms: int) -> NumberedNodes:
    session = ZooKeeperSession(operation_timeout_ms)
    session.link_changed(Link.CONNECTED, SESSION)
    planted: Any = client
    return NumberedNodes(planted, session)


async def turn() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_node_that_was_told_stays(client: Client, numbered: NumberedNodes) -> None:
    creating = asyncio.ensure_future(numbered.create("/q/V_", b""))
    await turn()
    client.replies.pop()()
    assert await creating == "/q/V_0000000000"
    numbered.link_changed(Link.CONNECTED)
    await turn()
    assert list(client.nodes) == ["/q/V_0000000000"]


async def test_a_reply_after_the_callers_time_removes_the_node(
    client: Client, numbered: NumberedNodes
) -> None:
    client.nodes["/q/V_0000000009"] = 8  # of another session
    with pytest.raises(UnknownOutcomeError, match="no answer within 20 ms"):
        await numbered.create("/q/V_", b"")
    await turn()
    assert list(client.nodes) == ["/q/V_0000000009"]
    client.replies.pop()()
    await turn()
    assert list(client.nodes) == ["/q/V_0000000009"]


async def test_a_reply_that_meets_a_cancelled_caller_removes_the_node(
    client: Client, numbered: NumberedNodes
) -> None:
    """1. The reply comes. 2. Before the caller runs it is cancelled."""
    creating = asyncio.ensure_future(numbered.create("/q/V_", b""))
    await turn()
    client.replies.pop()()
    creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating
    await turn()
    assert client.nodes == {}


async def test_nothing_is_looked_for_after_the_end(client: Client) -> None:
    numbered = numbered_on(client, operation_timeout_ms=60_000)  # else it may be given up before
    creating = asyncio.ensure_future(numbered.create("/q/V_", b""))
    await turn()
    await numbered.close()
    creating.cancel()
    await turn()
    assert list(client.nodes) == ["/q/V_0000000000"]
