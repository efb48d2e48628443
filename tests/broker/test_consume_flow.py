"""Consumers through real frames, connections, topics and ledgers."""

import asyncio
from typing import Any

import pytest
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.consume_world import (
    TOPIC,
    ConsumeWorld,
    message_id,
    positions,
    scenario,
)
from tests.ledger.managed.harness import until

EXCLUSIVE = api.CommandSubscribe.Exclusive
SHARED = api.CommandSubscribe.Shared
FAILOVER = api.CommandSubscribe.Failover


@scenario
async def test_what_is_published_is_consumed_in_order(world: ConsumeWorld) -> None:
    client = await world.client()
    assert isinstance(await client.subscribe(permits=100), api.CommandSuccess)
    published = await world.publish(10)
    got = await client.messages(10)
    assert positions(got) == published
    assert {one.message_id.partition for one in got} == {-1}
    assert not any(one.HasField("consumer_epoch") for one in got)


@scenario
async def test_trap_1_ids_of_minus_one_travel_as_unsigned(world: ConsumeWorld) -> None:
    published = await world.publish(3)
    client = await world.client()
    await client.subscribe(
        "reader", durable=False, start_message_id=message_id(-1, -1), earliest=False, permits=9
    )
    assert positions(await client.messages(3)) == published
    latest = message_id(2**63 - 1, 2**63 - 1)
    await client.subscribe(
        "tail", consumer_id=2, durable=False, start_message_id=latest, earliest=False, permits=9
    )
    assert positions(await client.messages(0, 2)) == []
    [after] = await world.publish(1)
    assert positions(await client.messages(1, 2)) == [after]
    await client.request(api.CommandSeek(consumer_id=1, message_id=message_id(-1, -1)))
    [close] = client.of(api.CommandCloseConsumer)
    assert close.request_id == 2**64 - 1


@scenario
async def test_trap_2_only_clients_that_can_take_it_hear_of_the_end(world: ConsumeWorld) -> None:
    clients = [
        await world.client(version)
        for version in ("Pulsar-Java-v4.0.7", "Pulsar-CPP-v4.2.0", "Pulsar Go 0.15")
    ]
    for number, client in enumerate(clients):
        await client.subscribe(f"s{number}", permits=9)
    [last] = await world.publish(1)
    topic = world.service.topics.loaded[TOPIC]
    await topic.ledger.terminate()
    for client in clients:
        assert client.of(api.CommandReachedEndOfTopic) == []  # a backlog is left
        client.ack(message_id(*last))
        client.ack(message_id(*last))
    await asyncio.sleep(0)
    heard = [len(client.of(api.CommandReachedEndOfTopic)) for client in clients]
    assert heard == [1, 0, 0]


@scenario
async def test_trap_7_permits_count_messages(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe(permits=25)
    await world.publish(5, batch=10)
    await client.messages(3)
    client.flow(5)
    await client.messages(0)
    client.flow(1)
    await client.messages(1)


@pytest.mark.parametrize("by_time", [False, True])
@scenario
async def test_trap_8_seek_closes_the_consumer_then_succeeds(
    world: ConsumeWorld, by_time: bool
) -> None:
    client = await world.client()
    await client.subscribe(permits=100)
    old = await world.publish(3, published_ms=1000)
    new = await world.publish(3, published_ms=2000)
    got = await client.messages(6)
    client.ack(got[-1], cumulative=True)
    client.take()
    place = {"message_publish_time": 1500} if by_time else {"message_id": message_id(*old[1])}
    await client.request(api.CommandSeek(consumer_id=1, **place))
    assert [type(one) for one in client.take()] == [api.CommandCloseConsumer, api.CommandSuccess]
    await client.subscribe(permits=100)
    wanted = new if by_time else old[1:] + new
    assert positions(await client.messages(len(wanted))) == wanted


@scenario
async def test_seek_into_a_batch(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe(permits=100)
    [entry] = await world.publish(1, batch=10)
    client.ack(*await client.messages(1))
    place = message_id(*entry, ack_set=[0b1110000000])
    await client.request(api.CommandSeek(consumer_id=1, message_id=place))
    await client.subscribe(permits=100)
    [message] = await client.messages(1)
    assert list(message.ack_set) == [0b1110000000]


@scenario
async def test_seek_needs_a_place_and_a_consumer(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe()
    answer = await client.request(api.CommandSeek(consumer_id=1))
    assert answer.error == api.ServerError.MetadataError
    answer = await client.request(api.CommandSeek(consumer_id=7, message_publish_time=1))
    assert answer.error == api.ServerError.MetadataError


@scenario
async def test_seek_of_a_shared_subscription_closes_all_consumers(world: ConsumeWorld) -> None:
    client, other = await world.client(), await world.client()
    for one in (client, other):
        await one.subscribe(kind=SHARED)
    await client.request(api.CommandSeek(consumer_id=1, message_id=message_id(-1, -1)))
    assert len(other.of(api.CommandCloseConsumer)) == 1


@scenario
async def test_trap_9_a_reader_begins_at_the_entry_that_is_given(world: ConsumeWorld) -> None:
    published = await world.publish(5, batch=3)
    client = await world.client()
    start = message_id(*published[2], batch_index=1)
    await client.subscribe("r", durable=False, start_message_id=start, permits=99)
    got = await client.messages(3)
    assert positions(got) == published[2:]
    assert list(got[0].ack_set) == []  # the client skips what lies before its index


@scenario
async def test_a_reader_leaves_nothing_behind(world: ConsumeWorld) -> None:
    await world.publish(1)
    client = await world.client()
    for number in range(3):
        await client.subscribe("r", durable=False, permits=9)
        await client.messages(1)
        client.send(api.CommandCloseConsumer(consumer_id=1, request_id=900 + number))
    await until(lambda: not world.service.topics.loaded[TOPIC].ledger.cursors)
    assert not world.service.topics.loaded[TOPIC].subscriptions


@scenario
async def test_a_reader_finds_the_place_that_it_sought(world: ConsumeWorld) -> None:
    await world.publish(3, published_ms=1000)
    new = await world.publish(1, published_ms=2000)
    client = await world.client()
    await client.subscribe("r", durable=False, permits=9)
    await client.messages(4)
    await client.request(api.CommandSeek(consumer_id=1, message_publish_time=2000))
    await client.subscribe("r", durable=False, start_message_id=message_id(-1, -1), permits=9)
    assert positions(await client.messages(1)) == new


@scenario
async def test_a_reader_that_never_comes_back_after_a_seek_is_forgotten(
    world: ConsumeWorld,
) -> None:
    await world.publish(1)
    client = await world.client()
    await client.subscribe("r", durable=False)
    await client.request(api.CommandSeek(consumer_id=1, message_id=message_id(-1, -1)))
    topic = world.service.topics.loaded[TOPIC]
    await asyncio.sleep(59)
    assert "r" in topic.subscriptions
    await asyncio.sleep(2)
    assert "r" not in topic.subscriptions


@pytest.mark.parametrize("kind", [EXCLUSIVE, FAILOVER])
@scenario
async def test_trap_10_redeliver_rewinds_to_mark_delete(world: ConsumeWorld, kind: int) -> None:
    client = await world.client()
    await client.subscribe(kind=kind, permits=100)
    published = await world.publish(4)
    got = await client.messages(4)
    client.ack(got[0], cumulative=True)
    client.send(
        api.CommandRedeliverUnacknowledgedMessages(consumer_id=1, message_ids=[got[3].message_id])
    )
    again = await client.messages(3)
    assert positions(again) == published[1:]
    assert {one.redelivery_count for one in again} == {0}


@scenario
async def test_trap_10_shared_counts_per_entry(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe(kind=SHARED, permits=100)
    published = await world.publish(3)
    got = await client.messages(3)
    for count in (1, 2):
        client.send(
            api.CommandRedeliverUnacknowledgedMessages(
                consumer_id=1, message_ids=[got[1].message_id]
            )
        )
        [again] = await client.messages(1)
        assert positions([again]) == [published[1]]
        assert again.redelivery_count == count
    client.transport.close()
    other = await world.client()
    await other.subscribe(kind=SHARED, permits=100)
    assert [one.redelivery_count for one in await other.messages(3)] == [0, 2, 0]


@scenario
async def test_trap_12_batch_index_acks_take_effect(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe(kind=SHARED, permits=100)
    await world.publish(1, batch=10)
    [got] = await client.messages(1)
    client.ack(
        message_id(got.message_id.ledgerId, got.message_id.entryId, ack_set=[0b11], batch_size=10)
    )
    client.send(api.CommandRedeliverUnacknowledgedMessages(consumer_id=1))
    [again] = await client.messages(1)
    assert list(again.ack_set) == [0b11]


@scenario(batch_index_ack_enabled=False)
async def test_trap_12_batch_index_acks_may_be_off(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe(permits=100)
    first, second = await world.publish(2, batch=10)
    subscription = await world.subscription()
    await client.messages(2)
    client.ack(message_id(*first, ack_set=[0b11], batch_size=10))
    assert subscription.cursor.backlog_entries == 2
    client.ack(message_id(*second, ack_set=[0b11], batch_size=10), cumulative=True)
    assert subscription.cursor.mark_delete == first
    client.ack(message_id(*second, batch_size=10))
    assert subscription.cursor.backlog_entries == 0


@scenario
async def test_trap_13_the_last_id_of_an_empty_topic(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe()
    answer = await client.request(api.CommandGetLastMessageId(consumer_id=1))
    last = answer.last_message_id
    assert (last.ledgerId, last.entryId) == (2**64 - 1, 2**64 - 1)
    assert answer.HasField("consumer_mark_delete_position")


@pytest.mark.parametrize(("batch", "index"), [(None, -1), (1, 0), (10, 9)])
@scenario
async def test_the_last_id_names_the_last_message_of_a_batch(
    world: ConsumeWorld, batch: int | None, index: int
) -> None:
    client = await world.client()
    await client.subscribe()
    published = await world.publish(2, batch=batch)
    client.ack(message_id(*published[0]))
    world.drop_cache()
    answer = await client.request(api.CommandGetLastMessageId(consumer_id=1))
    last, mark = answer.last_message_id, answer.consumer_mark_delete_position
    assert (last.ledgerId, last.entryId, last.batch_index) == (*published[1], index)
    assert (mark.ledgerId, mark.entryId) == published[0]


@scenario
async def test_acks_are_answered_only_if_asked_for(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe()
    client.take()
    nonsense = message_id(77, 5)
    client.ack(nonsense)
    client.send(api.CommandAck(consumer_id=9, ack_type=0, message_id=[nonsense], request_id=40))
    client.send(api.CommandAck(consumer_id=1, ack_type=0, message_id=[nonsense], request_id=41))
    await asyncio.sleep(0)
    [answer] = client.take()
    assert isinstance(answer, api.CommandAckResponse)
    assert (answer.request_id, answer.HasField("error")) == (41, False)


@scenario
async def test_cumulative_acks_mean_nothing_to_shared(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe(kind=SHARED, permits=9)
    await world.publish(2)
    got = await client.messages(2)
    client.ack(got[1], cumulative=True)
    assert (await world.subscription()).cursor.backlog_entries == 2


@scenario
async def test_a_second_exclusive_consumer_is_refused(world: ConsumeWorld) -> None:
    client, other = await world.client(), await world.client()
    await client.subscribe()
    probe = asyncio.ensure_future(other.subscribe())
    await until(lambda: bool(client.of(api.CommandPing)))
    client.send(api.CommandPong())
    assert (await probe).error == api.ServerError.ConsumerBusy
    # On the same connection there is nothing to ask.
    answer = await client.subscribe(consumer_id=2)
    assert answer.error == api.ServerError.ConsumerBusy


@scenario
async def test_an_exclusive_consumer_on_a_dead_connection_is_replaced(world: ConsumeWorld) -> None:
    dead, client = await world.client(), await world.client()
    await dead.subscribe(permits=9)
    published = await world.publish(1)
    await dead.messages(1)
    began = asyncio.get_running_loop().time()
    assert isinstance(await client.subscribe(permits=9), api.CommandSuccess)
    assert asyncio.get_running_loop().time() - began > 4.9
    assert dead.connection.closed
    assert positions(await client.messages(1)) == published


@scenario
async def test_the_type_of_a_live_subscription_stays(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe(kind=SHARED)
    answer = await client.subscribe(kind=FAILOVER, consumer_id=2)
    assert answer.error == api.ServerError.ConsumerBusy
    client.send(api.CommandCloseConsumer(consumer_id=1, request_id=70))
    assert isinstance(await client.subscribe(kind=FAILOVER, consumer_id=2), api.CommandSuccess)


@scenario
async def test_subscribing_again_with_the_same_id_succeeds(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe()
    assert isinstance(await client.subscribe(), api.CommandSuccess)
    assert len((await world.subscription()).consumers) == 1


@scenario
async def test_while_a_subscribe_is_under_way_a_second_is_told_to_wait(world: ConsumeWorld) -> None:
    client = await world.client()
    fields = {"topic": TOPIC, "subscription": "s", "subType": EXCLUSIVE, "consumer_id": 1}
    client.send(
        api.CommandSubscribe(request_id=80, **fields), api.CommandSubscribe(request_id=81, **fields)
    )
    assert (await client.reply(81)).error == api.ServerError.ServiceNotReady
    assert isinstance(await client.reply(80), api.CommandSuccess)


@scenario
async def test_a_consumer_that_is_closed_while_it_subscribes_is_not_attached(
    world: ConsumeWorld,
) -> None:
    client = await world.client()
    fields = {"topic": TOPIC, "subscription": "s", "subType": EXCLUSIVE, "consumer_id": 1}
    client.send(
        api.CommandSubscribe(request_id=80, **fields),
        api.CommandCloseConsumer(consumer_id=1, request_id=81),
    )
    assert isinstance(await client.reply(81), api.CommandSuccess)
    assert isinstance(await client.reply(80), api.CommandError)
    assert not (await world.subscription()).consumers
    assert isinstance(await client.subscribe(), api.CommandSuccess)


@scenario
async def test_many_may_open_a_subscription_at_once(world: ConsumeWorld) -> None:
    clients = [await world.client() for _ in range(5)]
    answers = await asyncio.gather(*(client.subscribe(kind=SHARED) for client in clients))
    assert all(isinstance(answer, api.CommandSuccess) for answer in answers)
    assert len((await world.subscription()).consumers) == 5


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"kind": SHARED, "read_compacted": True}, "NotAllowedError", "compacted"),
        ({"subscription": ""}, "ProducerBusy", "''"),
        ({"subscription": "pulsar.repl.x"}, "ProducerBusy", "pulsar.repl"),
        ({"topic": "a/b"}, "InvalidTopicName", "a/b"),
        ({"topic": "persistent://public/nowhere/t"}, "TopicNotFound", ""),
        ({"force_topic_creation": False}, "TopicNotFound", ""),
    ],
)
@scenario
async def test_what_subscribe_refuses(
    world: ConsumeWorld, fields: dict[str, Any], error: str, text: str
) -> None:
    client = await world.client()
    answer = await client.subscribe(**fields)
    assert isinstance(answer, api.CommandError)
    assert api.ServerError.Name(answer.error) == error
    assert text in answer.message


@scenario(key_shared_enabled=False)
async def test_key_shared_may_be_switched_off(world: ConsumeWorld) -> None:
    client = await world.client()
    answer = await client.subscribe(kind=api.CommandSubscribe.Key_Shared)
    assert isinstance(answer, api.CommandError)
    assert api.ServerError.Name(answer.error) == "NotAllowedError"
    assert "subscriptionKeySharedEnable" in answer.message


@scenario
async def test_durable_and_non_durable_do_not_mix(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe("d")
    await client.subscribe("r", consumer_id=2, durable=False)
    answer = await client.subscribe("d", consumer_id=3, durable=False)
    assert answer.error == api.ServerError.NotAllowedError
    answer = await client.subscribe("r", consumer_id=4)
    assert answer.error == api.ServerError.NotAllowedError


@scenario
async def test_compacted_reading_is_taken_as_plain_reading(world: ConsumeWorld) -> None:
    client = await world.client()
    await world.publish(2)
    await client.subscribe(read_compacted=True, permits=9)
    await client.messages(2)


@scenario
async def test_a_rollback_begins_with_what_was_published_since(world: ConsumeWorld) -> None:
    now_ms = world.world.clock.wall_ms()
    await world.publish(2, published_ms=now_ms - 60_000)
    recent = await world.publish(2, published_ms=now_ms - 10_000)
    client = await world.client()
    await client.subscribe(earliest=False, start_message_rollback_duration_sec=30, permits=9)
    assert positions(await client.messages(2)) == recent


@scenario
async def test_subscription_properties_are_kept(world: ConsumeWorld) -> None:
    client = await world.client()
    pair = api.KeyValue(key="k", value="v")
    await client.subscribe(subscription_properties=[pair])
    assert (await world.subscription()).cursor.properties == {"k": "v"}


@pytest.mark.parametrize("kind", [EXCLUSIVE, SHARED, FAILOVER])
@scenario
async def test_unsubscribe_by_the_sole_consumer(world: ConsumeWorld, kind: int) -> None:
    client = await world.client()
    await client.subscribe(kind=kind)
    answer = await client.request(api.CommandUnsubscribe(consumer_id=1))
    assert isinstance(answer, api.CommandSuccess)
    topic = world.service.topics.loaded[TOPIC]
    assert not topic.subscriptions
    assert not topic.ledger.cursors
    assert not client.connection.consumers


@pytest.mark.parametrize("kind", [SHARED, FAILOVER])
@scenario
async def test_unsubscribe_beside_others_needs_force(world: ConsumeWorld, kind: int) -> None:
    client, other = await world.client(), await world.client()
    await client.subscribe(kind=kind)
    await other.subscribe(kind=kind)
    answer = await client.request(api.CommandUnsubscribe(consumer_id=1))
    assert answer.error == api.ServerError.MetadataError
    assert answer.message == "Unconnected or shared consumer attempting to unsubscribe"
    answer = await client.request(api.CommandUnsubscribe(consumer_id=1, force=True))
    assert isinstance(answer, api.CommandSuccess)
    assert len(other.of(api.CommandCloseConsumer)) == 1
    assert not world.service.topics.loaded[TOPIC].subscriptions


@scenario
async def test_closing_an_unknown_consumer_succeeds(world: ConsumeWorld) -> None:
    client = await world.client()
    answer = await client.request(api.CommandCloseConsumer(consumer_id=12))
    assert isinstance(answer, api.CommandSuccess)


@scenario
async def test_flow_without_permits_ends_the_connection(world: ConsumeWorld) -> None:
    client = await world.client()
    client.flow(5, consumer_id=99)  # unknown: passed over
    assert not client.connection.closed
    client.flow(0, consumer_id=99)
    assert client.connection.closed


@scenario
async def test_consumer_stats(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe(kind=SHARED, permits=10, consumer_name="me")
    await world.publish(4)
    await client.messages(4)
    stats = await client.request(api.CommandConsumerStats(consumer_id=1))
    assert (stats.consumerName, stats.type, stats.address) == ("me", "Shared", "/127.0.0.1:50000")
    assert (stats.availablePermits, stats.unackedMessages, stats.msgBacklog) == (6, 4, 4)
    stats = await client.request(api.CommandConsumerStats(consumer_id=2))
    assert stats.error_code == api.ServerError.ConsumerNotFound


@scenario
async def test_epochs_are_stamped_for_clients_that_use_them(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe(consumer_epoch=0, permits=100)
    await world.publish(2)
    assert [one.consumer_epoch for one in await client.messages(2)] == [0, 0]
    client.send(api.CommandRedeliverUnacknowledgedMessages(consumer_id=1, consumer_epoch=4))
    got = await client.messages(2)
    assert [(one.HasField("consumer_epoch"), one.consumer_epoch) for one in got] == [(True, 4)] * 2


@scenario(failover_delay_ms=0)
async def test_failover_hands_over_when_the_active_one_is_lost(world: ConsumeWorld) -> None:
    clients = [await world.client(), await world.client()]
    for level, client in enumerate(clients):
        await client.subscribe(kind=FAILOVER, priority_level=level, permits=100)
    published = await world.publish(3)
    active, waiting = clients
    got = await active.messages(3)
    active.ack(got[0])
    active.transport.close()
    assert positions(await waiting.messages(2)) == published[1:]
    assert [one.is_active for one in waiting.of(api.CommandActiveConsumerChange)] == [False, True]


@scenario
async def test_who_is_not_active_hears_so_before_success(world: ConsumeWorld) -> None:
    first, second = await world.client(), await world.client()
    await first.subscribe(kind=FAILOVER)
    assert [type(one) for one in first.take()] == [api.CommandSuccess]
    await second.subscribe(kind=FAILOVER, priority_level=1)
    kinds = [type(one) for one in second.take()]
    assert kinds == [api.CommandActiveConsumerChange, api.CommandSuccess]


@scenario
async def test_a_lost_connection_gives_its_messages_to_others(world: ConsumeWorld) -> None:
    client, other = await world.client(), await world.client()
    await client.subscribe(kind=SHARED, permits=100)
    published = await world.publish(10)
    got = await client.messages(10)
    client.ack(*got[:4])
    await other.subscribe(kind=SHARED, permits=100)
    client.transport.close()
    assert positions(await other.messages(6)) == published[4:]


@scenario
async def test_an_unwritable_connection_gets_the_rest_when_it_resumes(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe(permits=100)
    client.connection.pause_writing()
    published = await world.publish(3)
    await client.messages(0)
    client.connection.resume_writing()
    assert positions(await client.messages(3)) == published


@scenario
async def test_a_restart_goes_on_behind_what_was_acked(world: ConsumeWorld) -> None:
    client = await world.client()
    await client.subscribe(permits=100)
    published = await world.publish(6)
    got = await client.messages(6)
    client.ack(got[1], cumulative=True)
    client.ack(got[3])
    await world.service.topics.unload(world.service.topics.loaded[TOPIC])
    assert len(client.of(api.CommandCloseConsumer)) == 1
    await client.subscribe(permits=100, earliest=False)
    assert positions(await client.messages(3)) == [published[2], *published[4:]]


@scenario
async def test_a_backlog_that_no_cache_holds(world: ConsumeWorld) -> None:
    published = await world.publish(400)
    client = await world.client()
    await client.subscribe()
    world.drop_cache()
    client.flow(1000)
    assert positions(await client.messages(400)) == published


@scenario
async def test_ten_subscriptions_get_the_same_entries(world: ConsumeWorld) -> None:
    client = await world.client()
    for number in range(10):
        await client.subscribe(f"s{number}", consumer_id=number, permits=100)
    published = await world.publish(20)
    for number in range(10):
        assert positions(await client.messages(20, number)) == published
