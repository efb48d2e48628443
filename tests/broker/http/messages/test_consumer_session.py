"""A consumer whose client comes and goes. More of it in `test_routes`."""

import asyncio

import pytest
from magnetar_broker.errors import ServiceNotReadyError
from magnetar_broker.http.messages.consumer_session import ConsumerSession
from magnetar_broker.http.messages.parameters import session_options

from tests.broker.inner_client.inner_world import NAME, Inner, inner_world


async def _session(inner: Inner) -> ConsumerSession:
    query = {"subscriptionInitialPosition": "Earliest"}
    session = ConsumerSession(inner.service, "", session_options(query, str(NAME), "s", "me"))
    await session.open(NAME)
    return session


async def test_no_message_is_taken_ahead_of_being_asked_for() -> None:
    async with inner_world() as inner:
        await inner.send(await inner.producer(), *[b"x"] * 5)
        session = await _session(inner)
        await asyncio.sleep(0.01)
        assert session.receiver.waiting == 0
        got = await session.receive(2, 1 << 20, 5)
        got += await session.receive(10, 1 << 20, 5)
        while len(got) < 5:
            got += await session.receive(10, 1 << 20, 5)
        assert session.receiver.window == 0
        await session.close()


async def test_an_answer_is_full_by_bytes_but_never_empty() -> None:
    async with inner_world() as inner:
        await inner.send(await inner.producer(), *[bytes(1000)] * 3)
        session = await _session(inner)
        assert len(await session.receive(10, 1, 5)) == 1
        await session.close()


async def test_a_long_poll_ends_with_the_first_message() -> None:
    async with inner_world() as inner:
        producer = await inner.producer()
        session = await _session(inner)
        waits = asyncio.ensure_future(session.receive(10, 1 << 20, 30))
        await asyncio.sleep(0.01)
        assert not waits.done()
        await inner.send(producer, b"x")
        assert [each.body for each in await waits] == [b"x"]
        assert session.topics == [str(NAME)]
        await session.close()


async def test_nothing_is_taken_for_a_peer_that_is_gone() -> None:
    """Scenario: its message would come again after the ack time-out only, or, without one, never
    while others ask; and one try nearer to the dead letters."""
    async with inner_world() as inner:
        await inner.send(await inner.producer(), b"x")
        session = await _session(inner)
        assert await session.receive(10, 1 << 20, 5, wanted=lambda: False) == []
        (message,) = await session.receive(10, 1 << 20, 5)
        assert (message.body, message.redelivery_count) == (b"x", 0)
        await session.close()


async def test_who_waits_hears_that_the_consumer_is_ended() -> None:
    """Scenario: a stream of events beat on for ever, with nothing behind it."""
    async with inner_world() as inner:
        session = await _session(inner)
        waits = asyncio.ensure_future(session.receive(10, 1 << 20, 30))
        await asyncio.sleep(0.01)
        await session.close()
        with pytest.raises(ServiceNotReadyError):
            await asyncio.wait_for(waits, 5)
