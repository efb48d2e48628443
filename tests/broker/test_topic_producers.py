"""Access modes over the protocol: who is told what, and what is kept."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import ErrorCode
from magnetar_broker.topic import Topic
from magnetar_broker.topic_producers import EPOCH_PROPERTY
from magnetar_ledger.errors import LedgerClosedError, LedgerMetadataError
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.limits import Limits
from magnetar_runtime.scope import TaskScope

from tests.broker.client import Client, kind_of, sends
from tests.broker.conftest import Broker, StartBroker

SHARED, EXCLUSIVE, WAIT, FENCING = range(4)


def topic_of(broker: Broker) -> Topic:
    [topic] = broker.service.topics.loaded.values()
    return topic


async def close(client: Client, producer_id: int) -> None:
    await client.ask(api.CommandCloseProducer(producer_id=producer_id, request_id=5))


async def test_the_epoch_is_kept_and_then_told_to_all(broker: Broker) -> None:
    client = await broker.client()
    first = await client.produce("x", 1)
    assert not first.HasField("topic_epoch")
    await close(client, 1)
    for epoch in (0, 1):
        reply = await client.produce("x", 2, producer_access_mode=EXCLUSIVE)
        assert (reply.topic_epoch, reply.producer_ready) == (epoch, True)
        assert broker.ledger("x").properties == {EPOCH_PROPERTY: str(epoch)}
        again = await client.produce("x", 2, producer_access_mode=EXCLUSIVE)
        assert again.topic_epoch == epoch
        await close(client, 2)
    shared = await client.produce("x", 1)
    assert shared.topic_epoch == 1


async def test_newcomers_are_told_to_wait_while_the_storage_is_full(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    broker.storage_full = True
    assert (await client.produce("x", 2)).error == ErrorCode.SERVICE_NOT_READY
    await client.produce("non-persistent://public/default/y", 3)
    broker.storage_full = False
    await client.produce("x", 2)


async def test_owners_of_a_non_persistent_topic_have_epochs_too(broker: Broker) -> None:
    client = await broker.client()
    topic = "non-persistent://public/default/x"
    for epoch in (0, 1):
        reply = await client.produce(topic, 1, producer_access_mode=EXCLUSIVE)
        assert reply.topic_epoch == epoch
        await close(client, 1)


async def test_an_owner_comes_again_with_its_epoch(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1, producer_access_mode=EXCLUSIVE)
    ledger = broker.ledger("x")
    ledger.fail(LedgerClosedError("gone"), 0)
    await client.turn()
    mode = EXCLUSIVE
    reply = await client.produce("x", 1, producer_access_mode=mode, topic_epoch=0, epoch=1)
    assert reply.topic_epoch == 0
    assert ledger.property_writes == ["0"]
    await close(client, 1)
    await client.produce("x", 2, producer_access_mode=mode)
    await close(client, 2)
    late = await client.produce("x", 1, producer_access_mode=mode, topic_epoch=0, epoch=2)
    assert late.error == ErrorCode.PRODUCER_FENCED


async def test_fencing_drives_all_out_without_telling_them(broker: Broker) -> None:
    old, new = await broker.client(1), await broker.client(2)
    await old.produce("x", 1)
    old.publish(*sends(1, 0))
    reply = await new.produce("x", 1, producer_access_mode=FENCING)
    assert (kind_of(reply), reply.topic_epoch) == ("producer_success", 0)
    broker.ledger("x").confirm()
    assert [kind_of(each) for each in await old.turn()] == ["send_receipt"]
    assert broker.ledger("x").pending == 0
    old.publish(*sends(1, 1))
    assert old.transport.closing
    assert broker.ledger("x").pending == 0
    assert list(topic_of(broker).producers.values()) == [new.connection.producers[1]]


async def test_fencing_refuses_those_who_wait(broker: Broker) -> None:
    owner, waiter, new = [await broker.client(port) for port in range(3)]
    await owner.produce("x", 1, producer_access_mode=EXCLUSIVE)
    waits = await waiter.produce("x", 1, producer_access_mode=WAIT)
    assert (waits.producer_ready, waits.HasField("topic_epoch")) == (False, False)
    reply = await new.produce("x", 1, producer_access_mode=FENCING)
    assert reply.topic_epoch == 1
    [refusal] = await waiter.turn()
    assert (refusal.request_id, refusal.error) == (1001, ErrorCode.PRODUCER_FENCED)
    assert waiter.connection.producing == {}
    assert topic_of(broker).attached.waiting == 0


async def test_waiting_ends_when_all_before_have_left(broker: Broker) -> None:
    client, first, second = [await broker.client(port) for port in range(3)]
    await client.produce("x", 1)
    await client.produce("x", 2)
    for waiter in (first, second):
        reply = await waiter.produce("x", 7, producer_access_mode=WAIT, producer_name="w")
        assert not reply.producer_ready
    await close(client, 1)
    assert await first.turn() == []
    client.transport.close()
    [ready] = await first.turn()
    assert (ready.request_id, ready.producer_ready, ready.topic_epoch) == (1007, True, 0)
    assert await second.turn() == []
    first.publish(*sends(7, 0))
    assert broker.ledger("x").pending == 1
    first.send(api.CommandCloseProducer(producer_id=7, request_id=5))
    [ready] = await second.turn()
    assert (ready.producer_name, ready.producer_ready, ready.topic_epoch) == ("w", True, 1)


@pytest.mark.parametrize("how", ["close", "disconnect"])
async def test_who_leaves_while_waiting_is_forgotten(broker: Broker, how: str) -> None:
    client, waiter, next_one = [await broker.client(port) for port in range(3)]
    await client.produce("x", 1)
    await waiter.produce("x", 1, producer_access_mode=WAIT)
    await next_one.produce("x", 1, producer_access_mode=WAIT)
    if how == "close":
        await close(waiter, 1)
    else:
        waiter.transport.close()
        await waiter.turn()
    assert topic_of(broker).attached.waiting == 1
    await close(client, 1)
    [ready] = await next_one.turn()
    assert ready.producer_ready
    assert await waiter.turn() == []


async def test_thousands_may_wait_on_one_connection_that_still_reads(
    start_broker: StartBroker,
) -> None:
    """Scenario: the owner's CLOSE_PRODUCER is not read, since those who wait for it are many."""
    broker = await start_broker(BrokerConfig(limits=Limits(max_pending_requests_per_connection=10)))
    client = await broker.client()
    await client.produce("x", 1, producer_access_mode=EXCLUSIVE)
    for producer_id in range(2, 30):
        await client.produce("x", producer_id, producer_access_mode=WAIT)
    assert client.transport.reading
    client.send(api.CommandCloseProducer(producer_id=1, request_id=5))
    told = [kind_of(each) for each in await client.turn()]
    assert told == ["success", "producer_success"]


async def test_send_of_one_that_waits_costs_the_connection(broker: Broker) -> None:
    client, waiter = await broker.client(1), await broker.client(2)
    await client.produce("x", 1)
    await waiter.produce("x", 1, producer_access_mode=WAIT)
    waiter.publish(*sends(1, 0))
    assert waiter.transport.closing


async def test_two_requests_of_one_that_waits(broker: Broker) -> None:
    client, waiter = await broker.client(1), await broker.client(2)
    await client.produce("x", 1)
    await waiter.produce("x", 1, producer_access_mode=WAIT)
    again = await waiter.produce("x", 1, producer_access_mode=WAIT)
    assert again.error == ErrorCode.SERVICE_NOT_READY


async def test_those_who_wait_come_again_when_the_topic_closes(broker: Broker) -> None:
    client, waiter = await broker.client(1), await broker.client(2)
    await client.produce("x", 1)
    await waiter.produce("x", 1, producer_access_mode=WAIT)
    await broker.service.topics.unload(topic_of(broker))
    [refusal] = await waiter.turn()
    assert refusal.error == ErrorCode.SERVICE_NOT_READY
    assert [kind_of(each) for each in await client.turn()] == ["close_producer"]


async def test_an_owner_is_fenced_while_its_epoch_is_being_kept(broker: Broker) -> None:
    slow, quick = await broker.client(1), await broker.client(2)
    await slow.produce("x", 9)
    await close(slow, 9)
    ledger = broker.ledger("x")
    gate = ledger.property_gate = asyncio.get_running_loop().create_future()
    request = api.CommandProducer(
        topic="x", producer_id=1, request_id=1, producer_access_mode=EXCLUSIVE
    )
    slow.send(request)
    assert await slow.turn() == []
    busy = await quick.produce("x", 2)
    assert busy.error == ErrorCode.PRODUCER_BUSY
    request.producer_access_mode = FENCING
    quick.send(request)
    await quick.turn()
    gate.set_result(None)
    [refusal], [success] = await slow.turn(), await quick.turn()
    assert refusal.error == ErrorCode.PRODUCER_FENCED
    assert success.topic_epoch == 1
    assert ledger.properties == {EPOCH_PROPERTY: "1"}
    assert list(topic_of(broker).producers.values()) == [quick.connection.producers[1]]


async def test_an_epoch_that_cannot_be_kept_leaves_the_topic_to_others(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 9)
    await close(client, 9)
    ledger = broker.ledger("x")

    ledger.property_error = LedgerMetadataError("no answer")
    refused = await client.produce("x", 1, producer_access_mode=EXCLUSIVE)
    assert refused.error == ErrorCode.PERSISTENCE
    assert kind_of(await client.produce("x", 2)) == "producer_success"


async def test_an_epoch_that_is_no_number_is_an_error_of_the_topic(broker: Broker) -> None:
    broker.properties[EPOCH_PROPERTY] = "many"
    client = await broker.client()
    reply = await client.produce("x", 1)
    assert reply.error == ErrorCode.METADATA
    assert EPOCH_PROPERTY in reply.message
    assert broker.ledger("x").closed


@pytest.mark.parametrize("mode", [EXCLUSIVE, WAIT])
async def test_a_dead_owner_of_the_name_gives_way(start_broker: StartBroker, mode: int) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(connection_liveness_timeout_ms=1)))
    dead, newcomer = await broker.client(1), await broker.client(2)
    await dead.produce("x", 1, producer_name="p", producer_access_mode=EXCLUSIVE)
    reply = await newcomer.produce(
        "x", 1, producer_name="p", producer_access_mode=mode, topic_epoch=0
    )
    assert (kind_of(reply), reply.producer_ready) == ("producer_success", True)


async def test_a_living_owner_of_the_name_stays(broker: Broker) -> None:
    owner, newcomer = await broker.client(1), await broker.client(2)
    await owner.produce("x", 1, producer_name="p", producer_access_mode=EXCLUSIVE)
    newcomer.send(
        api.CommandProducer(
            topic="x", producer_id=1, request_id=2, producer_name="p", producer_access_mode=1
        )
    )
    await owner.turn()
    owner.send(api.CommandPong())
    [reply] = await newcomer.turn()
    assert reply.error == ErrorCode.PRODUCER_FENCED


async def test_those_who_wait_count_among_the_most_producers(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(max_producers_per_topic=2)))
    client = await broker.client()
    await client.produce("x", 1)
    await client.produce("x", 2, producer_access_mode=WAIT)
    full = await client.produce("x", 3, producer_access_mode=WAIT)
    assert full.error == ErrorCode.PRODUCER_BUSY
    client.send(
        api.CommandProducer(topic="x", producer_id=4, request_id=4, producer_access_mode=FENCING)
    )
    refused, fencing = await client.turn()
    assert (refused.request_id, refused.error) == (1002, ErrorCode.PRODUCER_FENCED)
    assert kind_of(fencing) == "producer_success"


STEPS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["leave", "gone", 0, 1, 2, 3])), max_size=30
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_an_owner_is_always_alone(steps: list[tuple[int, str | int]]) -> None:
    """Whoever comes and goes: no owner beside others, epochs grow, nobody waits for nothing."""

    async def play() -> None:
        scope = TaskScope()
        broker = Broker(BrokerConfig(), scope)
        await broker.service.start()
        clients = [await broker.client(port) for port in range(6)]
        epochs: list[int] = []
        for port, step in steps:
            client = clients[port]
            if step == "gone" or client.connection.closed:
                client.transport.close()
                await client.turn(10)
                clients[port] = await broker.client(port)
            elif step == "leave":
                client.send(api.CommandCloseProducer(producer_id=1, request_id=5))
            else:
                client.send(
                    api.CommandProducer(
                        topic="x", producer_id=1, request_id=9, producer_access_mode=int(step)
                    )
                )
            for each in clients:
                replies = [r for r in await each.turn(10) if kind_of(r) == "producer_success"]
                epochs += [r.topic_epoch for r in replies if r.HasField("topic_epoch")]
            check_owners(broker)
        assert epochs == sorted(epochs)
        await broker.service.stop()
        await scope.close()

    asyncio.run(play())


def check_owners(broker: Broker) -> None:
    for topic in broker.service.topics.loaded.values():
        modes = [each.access_mode for each in topic.producers.values()]
        assert len(modes) <= 1 or not any(modes), modes
        assert topic.producers or not topic.attached.waiting
        for producer in topic.producers.values():
            assert producer.connection.producers[producer.producer_id] is producer
