"""When a request waits, is repeated, or ends. What kazoo makes of it is in test_zookeeper."""

import asyncio

import pytest
from magnetar_metadata.errors import NoNodeError, SessionExpiredError, UnknownOutcomeError
from magnetar_metadata.zookeeper_client import Done, Link
from magnetar_metadata.zookeeper_session import NO_SESSION, ZooKeeperSession


class Requests:
    """What was submitted; a test answers."""

    def __init__(self) -> None:
        self.waiting: list[Done] = []

    def submit(self, done: Done) -> None:
        self.waiting.append(done)


@pytest.fixture
async def session() -> ZooKeeperSession:
    return ZooKeeperSession(operation_timeout_ms=5_000)


@pytest.fixture
def requests() -> Requests:
    return Requests()


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def begin(
    session: ZooKeeperSession, requests: Requests, *, repeat: bool = False, of_session: bool = False
) -> "asyncio.Task[object]":
    return asyncio.ensure_future(
        session.request("/a", requests.submit, repeat=repeat, of_session=of_session)
    )


async def test_a_request_waits_for_a_connection(
    session: ZooKeeperSession, requests: Requests
) -> None:
    call = begin(session, requests)
    await turn()
    assert not requests.waiting
    assert session.id == NO_SESSION
    session.link_changed(Link.CONNECTED, 7)
    await turn()
    requests.waiting.pop()(b"x", None)
    assert await call == b"x"
    assert (session.id, session.connected) == (7, True)


async def test_a_write_is_made_once(session: ZooKeeperSession, requests: Requests) -> None:
    session.link_changed(Link.CONNECTED, 7)
    call = begin(session, requests)
    await turn()
    requests.waiting.pop()(None, UnknownOutcomeError("/a"))
    with pytest.raises(UnknownOutcomeError):
        await call
    assert not requests.waiting


async def test_a_read_is_made_again_with_the_next_connection(
    session: ZooKeeperSession, requests: Requests
) -> None:
    session.link_changed(Link.CONNECTED, 7)
    call = begin(session, requests, repeat=True)
    await turn()
    session.link_changed(Link.SUSPENDED, 7)
    requests.waiting.pop()(None, UnknownOutcomeError("/a"))
    await turn()
    assert not requests.waiting
    session.link_changed(Link.CONNECTED, 7)
    await turn()
    requests.waiting.pop()(None, NoNodeError("/a"))
    with pytest.raises(NoNodeError):
        await call


async def test_what_a_session_did_not_make_the_next_one_does(
    session: ZooKeeperSession, requests: Requests
) -> None:
    session.link_changed(Link.CONNECTED, 7)
    call, own = begin(session, requests), begin(session, requests, of_session=True)
    await turn()
    session.link_changed(Link.EXPIRED, 7)
    for done in requests.waiting:
        done(None, SessionExpiredError("/a"))
    requests.waiting.clear()
    with pytest.raises(SessionExpiredError):
        await own
    session.link_changed(Link.CONNECTED, 8)
    await turn()
    requests.waiting.pop()(1, None)
    assert await call == 1


async def test_a_call_of_a_session_that_ends_while_it_waits_is_not_made(
    session: ZooKeeperSession, requests: Requests
) -> None:
    ended: list[int] = []
    session.when_ended(ended.append)
    session.link_changed(Link.CONNECTED, 7)
    session.link_changed(Link.SUSPENDED, 7)
    call = begin(session, requests, of_session=True)
    await turn()
    session.link_changed(Link.EXPIRED, 7)
    later = begin(session, requests, of_session=True)  # belongs to the next one
    await turn()
    assert (ended, session.id) == ([7], NO_SESSION)
    session.link_changed(Link.CONNECTED, 8)
    with pytest.raises(SessionExpiredError):
        await call
    await turn()
    requests.waiting.pop()("made", None)
    assert await later == "made"


async def test_an_end_for_good_refuses_and_is_told(
    session: ZooKeeperSession, requests: Requests
) -> None:
    ended: list[int] = []
    session.when_ended(ended.append)
    session.link_changed(Link.CONNECTED, 7)
    session.link_changed(Link.SUSPENDED, 7)
    call = begin(session, requests, repeat=True)
    await turn()
    session.link_changed(Link.OVER, 7)
    with pytest.raises(SessionExpiredError):
        await call
    session.link_changed(Link.CONNECTED, 8)
    assert (ended, session.connected) == ([7], False)


async def test_a_late_answer_finds_nobody(requests: Requests) -> None:
    session = ZooKeeperSession(operation_timeout_ms=10)
    session.link_changed(Link.CONNECTED, 7)
    with pytest.raises(UnknownOutcomeError, match="no answer within 10 ms"):
        await session.request("/a", requests.submit, repeat=True)
    requests.waiting.pop()(1, None)


async def test_no_first_connection(session: ZooKeeperSession) -> None:
    assert not await session.wait_connected(10)
    session.finish()
    assert not await session.wait_connected(10)
