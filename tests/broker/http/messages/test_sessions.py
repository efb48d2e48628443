"""Consumers over HTTP: found by name, ended when nobody asks."""

import asyncio

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import TooManyRequestsError
from magnetar_broker.http.messages.parameters import session_options
from magnetar_broker.http.messages.sessions import ConsumerSessions
from magnetar_broker.web_config import WebConfig

from tests.broker.inner_client.inner_world import NAME, Inner, inner_world

KEY = (str(NAME), "s", "me")


async def _open(inner: Inner, sessions: ConsumerSessions, name: str = "me") -> object:
    options = session_options({}, str(NAME), "s", name)
    return await sessions.open((*KEY[:2], name), NAME, "1.2.3.4:5", lambda: options)


async def test_a_session_is_opened_once_and_ends_when_nobody_asks() -> None:
    async with inner_world(BrokerConfig(web=WebConfig(consumer_idle_ms=0))) as inner:
        sessions = ConsumerSessions(inner.service, inner.scope)
        one, other = await asyncio.gather(_open(inner, sessions), _open(inner, sessions))
        assert one is other
        assert len(inner.topic().subscriptions["s"].consumers) == 1
        await sessions.tick()
        assert sessions.find(KEY) is None
        assert not await sessions.end(KEY)


async def test_one_that_is_being_asked_stays() -> None:
    async with inner_world(BrokerConfig(web=WebConfig(consumer_idle_ms=0))) as inner:
        sessions = ConsumerSessions(inner.service, inner.scope)
        session = await _open(inner, sessions)
        waits = asyncio.ensure_future(session.receive(1, 1, 0.05))  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        await sessions.tick()
        assert sessions.find(KEY) is session
        assert await waits == []
        await sessions.close()


async def test_no_more_than_may_be() -> None:
    async with inner_world(BrokerConfig(web=WebConfig(max_consumers=1))) as inner:
        sessions = ConsumerSessions(inner.service, inner.scope)
        await _open(inner, sessions)
        with pytest.raises(TooManyRequestsError):
            await _open(inner, sessions, "other")
        await sessions.close()
