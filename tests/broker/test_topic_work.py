"""A bug in one topic's background work is that topic's: all others go on, and it is loaded anew."""

import asyncio
import logging
from typing import Any

import pytest
from magnetar_broker.dispatch import delayed_index
from magnetar_broker.dispatch.delayed_store import DelayedStore
from magnetar_broker.dispatch.entry_feed import EntryFeed
from magnetar_broker.dispatch.replay_reader import ReplayReader
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.consume_world import TOPIC, ConsumeWorld, ConsumingClient, positions, scenario
from tests.ledger.managed.harness import until

SHARED = api.CommandSubscribe.Shared
OTHER = "persistent://public/default/other"


class Bug:
    """A method that fails the first time that it is awaited for a topic."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, method: str) -> None:
        real = getattr(owner, method)
        self.met = 0

        async def planted(instance: Any, *args: Any) -> Any:
            if not self.met and OTHER not in getattr(instance, "_name", ""):
                self.met = 1
                await asyncio.sleep(0)
                raise ZeroDivisionError("planted")
            return await real(instance, *args)

        monkeypatch.setattr(owner, method, planted)


async def goes_on(world: ConsumeWorld, client: ConsumingClient) -> None:
    """The other topic, whose consumer 2 stands on its connection."""
    published = await world.publish(2, topic=OTHER)
    assert positions(await client.messages(2, 2)) == published


async def closed(client: ConsumingClient) -> None:
    await until(lambda: bool(client.of(api.CommandCloseConsumer)))
    (close,) = [one for one in client.take() if isinstance(one, api.CommandCloseConsumer)]
    assert close.consumer_id == 1


@scenario
async def test_a_bug_of_a_read_costs_its_own_topic(
    world: ConsumeWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bug = Bug(monkeypatch, EntryFeed, "_read")
    client = await world.client()
    await client.subscribe("o", consumer_id=2, topic=OTHER, permits=100)
    published = await world.publish(5)
    producer = await world.client()
    await producer.produce(TOPIC, producer_name="stays")
    await client.subscribe()
    world.drop_cache()
    client.flow(100)
    await closed(client)
    assert bug.met
    await until(lambda: bool(producer.of(api.CommandCloseProducer)))
    await until(lambda: TOPIC not in world.service.topics.loaded)
    assert not world.service.scope.closed
    await goes_on(world, client)
    [record] = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert TOPIC in record.getMessage()
    assert record.exc_info
    await client.subscribe(permits=100)
    assert positions(await client.messages(5)) == published
    more = await world.publish(1)
    assert positions(await client.messages(1)) == more


@scenario
async def test_what_was_acked_before_is_acked(
    world: ConsumeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = await world.publish(3)
    client = await world.client()
    await client.subscribe(kind=SHARED, permits=100)
    got = await client.messages(3)
    client.ack(got[1])
    Bug(monkeypatch, ReplayReader, "_read")
    world.drop_cache()
    client.send(api.CommandRedeliverUnacknowledgedMessages(consumer_id=1))
    await closed(client)
    await client.subscribe(kind=SHARED, permits=100)
    assert positions(await client.messages(2)) == [published[0], published[2]]


@scenario(delayed_index_bucket_rows=5)
async def test_a_bug_in_storing_what_waits_holds_up_no_unload(
    world: ConsumeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    Bug(monkeypatch, DelayedStore, "store")
    monkeypatch.setattr(delayed_index, "RUN_ROWS", 4)
    due_ms = world.service.clock.wall_ms() + 3_600_000
    await world.publish(20, deliver_at_ms=[due_ms] * 20)
    client = await world.client()
    await client.subscribe(kind=SHARED, permits=100)
    await closed(client)
    await until(lambda: TOPIC not in world.service.topics.loaded)
    await client.subscribe(kind=SHARED, permits=100)
    published = await world.publish(1)
    assert positions(await client.messages(1)) == published


@scenario(delayed_index_bucket_rows=5)
async def test_a_bug_that_is_met_while_the_topic_closes_holds_up_nothing(
    world: ConsumeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()

    async def store(*_: Any) -> None:
        await gate.wait()
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(DelayedStore, "store", store)
    monkeypatch.setattr(delayed_index, "RUN_ROWS", 4)
    due_ms = world.service.clock.wall_ms() + 3_600_000
    await world.publish(9, deliver_at_ms=[due_ms] * 9)
    client = await world.client()
    await client.subscribe(kind=SHARED, permits=100)
    topics = world.service.topics
    unloading = asyncio.ensure_future(topics.unload(topics.loaded[TOPIC]))
    await asyncio.sleep(1)
    assert not unloading.done()
    gate.set()
    await asyncio.wait_for(unloading, 60)
    assert TOPIC not in topics.loaded
