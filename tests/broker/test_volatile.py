"""Non-persistent topics: handed on at once, kept nowhere."""

from typing import Any

import pytest
from magnetar_broker.config import BrokerConfig, PolicyConfig
from magnetar_broker.errors import ErrorCode
from magnetar_broker.volatile import VolatileLedger
from magnetar_metadata.managed_ledger_info import ManagedLedgerRegistry
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.client import Client, kind_of, sends
from tests.broker.conftest import Broker, StartBroker

NAME = "non-persistent://public/default/x"
Subscribe = api.CommandSubscribe


class Sink:
    """Keeps what it was lent."""

    def __init__(self, ledger: VolatileLedger) -> None:
        self.ledger = ledger
        self.seen: list[tuple[int, int, int, list[bytes]]] = []
        ledger.sink = self  # type: ignore[assignment]

    def entries_appended(self, ledger_id: int, first_entry_id: int, count: int) -> None:
        self.seen.append((ledger_id, first_entry_id, count, list(self.ledger.payloads)))


def test_entries_are_lent_and_gone() -> None:
    ledger = VolatileLedger(7)
    sink = Sink(ledger)
    ledger.add_all([b"a", b"b"])
    ledger.add_all([b"c"])
    assert sink.seen == [(7, 0, 2, [b"a", b"b"]), (7, 2, 1, [b"c"])]
    assert not ledger.payloads


def subscribe(consumer_id: int, **fields: Any) -> api.CommandSubscribe:
    request: dict[str, Any] = {
        "topic": NAME,
        "subscription": "s",
        "subType": Subscribe.Shared,
        "consumer_id": consumer_id,
        "request_id": 10 + consumer_id,
    }
    return Subscribe(**{**request, **fields})


async def with_producer(broker: Broker) -> Client:
    client = await broker.client()
    reply = await client.produce(NAME)
    assert kind_of(reply) == "producer_success"
    return client


async def test_receipts_at_once_and_messages_to_who_has_room(broker: Broker) -> None:
    client = await with_producer(broker)
    client.publish(*sends(1, 0))  # nobody listens
    assert [kind_of(each) for each in await client.turn()] == ["send_receipt"]
    assert kind_of(await client.ask(subscribe(1))) == "success"
    client.publish(*sends(1, 1))  # nobody has room
    assert [kind_of(each) for each in await client.turn()] == ["send_receipt"]
    client.send(api.CommandFlow(consumer_id=1, messagePermits=2))
    client.publish(*sends(1, 2, 3, 4))
    *receipts, first, second = await client.turn()
    assert [receipt.sequence_id for receipt in receipts] == [2, 3, 4]
    assert [kind_of(each) for each in (first, second)] == ["message", "message"]
    client.publish(*sends(1, 5))
    assert [kind_of(each) for each in await client.turn()] == ["send_receipt"]
    topic = broker.service.topics.loaded[NAME]
    assert (topic.messages_in, topic.subscriptions["s"].sent[0]) == (6, 2)
    assert topic.subscriptions["s"].messages_dropped == 3


async def test_receipts_and_messages_have_the_same_ids(broker: Broker) -> None:
    client = await with_producer(broker)
    await client.ask(subscribe(1, subType=Subscribe.Exclusive))
    client.send(api.CommandFlow(consumer_id=1, messagePermits=10))
    client.publish(*sends(1, 0, 1))
    *receipts, first, second = await client.turn()
    assert [kind_of(each) for each in (*receipts, first, second)] == [
        "send_receipt", "send_receipt", "message", "message",
    ]  # fmt: skip
    assert [each.message_id.entryId for each in receipts] == [0, 1]
    assert [each.message_id.entryId for each in (first, second)] == [0, 1]
    assert receipts[0].message_id.ledgerId == first.message_id.ledgerId > 0


async def test_acks_redelivery_and_seek_mean_nothing(broker: Broker) -> None:
    client = await with_producer(broker)
    await client.ask(subscribe(1))
    client.send(api.CommandFlow(consumer_id=1, messagePermits=10))
    client.publish(*sends(1, 0))
    _, message = await client.turn()
    acked = await client.ask(
        api.CommandAck(
            consumer_id=1,
            ack_type=api.CommandAck.Individual,
            message_id=[message.message_id],
            request_id=5,
        )
    )
    assert (kind_of(acked), acked.request_id) == ("ack_response", 5)
    client.send(api.CommandRedeliverUnacknowledgedMessages(consumer_id=1))
    sought = await client.ask(api.CommandSeek(consumer_id=1, request_id=6, message_publish_time=1))
    assert kind_of(sought) == "success"
    last = await client.ask(api.CommandGetLastMessageId(consumer_id=1, request_id=7))
    assert last.last_message_id.entryId == 2**64 - 1
    stats = await client.ask(api.CommandConsumerStats(consumer_id=1, request_id=8))
    assert (stats.availablePermits, stats.unackedMessages, stats.msgBacklog) == (9, 0, 0)


async def test_rules_of_types_are_those_of_persistent_topics(broker: Broker) -> None:
    client = await broker.client()
    await client.ask(subscribe(1))
    reply = await client.ask(subscribe(2, subType=Subscribe.Exclusive))
    assert reply.error == ErrorCode.CONSUMER_BUSY
    # A reader and a durable consumer may share a name: neither outlives its consumers.
    assert kind_of(await client.ask(subscribe(3, durable=False))) == "success"
    reply = await client.ask(subscribe(4, subscription="c", read_compacted=True))
    assert reply.error == ErrorCode.NOT_ALLOWED


async def test_subscription_ends_with_its_last_consumer(broker: Broker) -> None:
    client = await broker.client()
    await client.ask(subscribe(1))
    topic = broker.service.topics.loaded[NAME]
    await client.ask(api.CommandCloseConsumer(consumer_id=1, request_id=5))
    assert not topic.subscriptions
    assert kind_of(await client.ask(subscribe(1))) == "success"


async def test_nothing_is_in_metadata_and_idle_topics_go(broker: Broker) -> None:
    client = await with_producer(broker)
    assert await ManagedLedgerRegistry(broker.store).names("public", "default") == []
    assert broker.opened == []
    await client.ask(api.CommandCloseProducer(producer_id=1, request_id=5))
    broker.clock.now_ns += 3_600 * 10**9
    await broker.service.topics.delete_inactive()
    assert not broker.service.topics.loaded


async def test_idle_topics_go_where_messages_of_others_are_retained(
    start_broker: StartBroker,
) -> None:
    broker = await start_broker(BrokerConfig(policy=PolicyConfig(retention_minutes=-1)))
    client = await broker.client()
    for producer_id, name in enumerate((NAME, "y"), 1):
        await client.produce(name, producer_id)
        await client.ask(api.CommandCloseProducer(producer_id=producer_id, request_id=5))
    broker.clock.now_ns += 3_600 * 10**9
    await broker.service.topics.delete_inactive()
    assert list(broker.service.topics.loaded) == ["persistent://public/default/y"]


async def test_lists_and_partition_counts(broker: Broker) -> None:
    client = await broker.client()
    count = api.CommandPartitionedTopicMetadata(
        topic=NAME, request_id=5, metadata_auto_creation_enabled=False
    )
    assert (await client.ask(count)).error == ErrorCode.TOPIC_NOT_FOUND
    await client.produce(NAME)
    assert (await client.ask(count)).partitions == 0
    await client.produce("y", 2)
    both = ["persistent://public/default/y", NAME]
    modes = api.CommandGetTopicsOfNamespace
    expected = {modes.PERSISTENT: both[:1], modes.NON_PERSISTENT: both[1:], modes.ALL: both}
    for mode, names in expected.items():
        request = modes(request_id=6, namespace="public/default", mode=mode)
        assert list((await client.ask(request)).topics) == names


@pytest.mark.parametrize(
    ("config", "refused", "taken"),
    [
        (BrokerConfig(non_persistent_topics=False), NAME, "x"),
        (BrokerConfig(persistent_topics=False), "x", NAME),
    ],
)
async def test_domains_may_be_switched_off(
    start_broker: StartBroker, config: BrokerConfig, refused: str, taken: str
) -> None:
    broker = await start_broker(config)
    client = await broker.client()
    assert (await client.produce(refused)).error == ErrorCode.NOT_ALLOWED
    assert kind_of(await client.produce(taken)) == "producer_success"
