"""Passing over: by time, also into the middle; consumers go on behind it."""

import pytest
from magnetar_broker.backlog_admin import clear, expire_older, skip, subscription_of
from magnetar_broker.errors import ConflictError, SubscriptionNotFoundError
from magnetar_broker.seek import publish_time_ms
from magnetar_broker.topic_reading import log_of

from tests.broker.http.web_world import web_world

T = "/admin/v2/persistent/public/default/t"


async def test_only_what_is_older_is_passed_over() -> None:
    async with web_world() as world:
        assert (await world.ask("PUT", f"{T}/subscription/s", "earliest"))[0] == 204
        await world.produce("1")
        await world.produce("2")
        topic = world.service.topics.loaded["persistent://public/default/t"]
        subscription = subscription_of(topic, "s")
        ledger = log_of(topic)
        second = ledger.nth_entry(1)
        assert second is not None
        _, (payload,) = await ledger.read(second, 1, 1)
        await expire_older(subscription, publish_time_ms(payload))
        assert subscription.cursor.backlog_entries <= 2
        before = subscription.cursor.backlog_entries
        await skip(subscription, before)
        with pytest.raises(ConflictError):
            await expire_older(subscription, 1)
        with pytest.raises(SubscriptionNotFoundError):
            subscription_of(topic, "none")


async def test_a_consumer_goes_on_behind_what_was_cleared() -> None:
    async with web_world() as world:
        await world.produce("1", "2")
        assert [each["payload"] for each in await world.receive(1)] == ["1"]
        topic = world.service.topics.loaded["persistent://public/default/t"]
        clear(subscription_of(topic, "s"))
        await world.produce("3")
        payloads = [each["payload"] for each in await world.receive(2)]
        assert payloads[-1] == "3"
        assert subscription_of(topic, "s").cursor.backlog_entries == 1
