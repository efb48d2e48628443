"""Options of consumers on the wire."""

from typing import Any

from magnetar.consumer_options import ConsumerOptions
from magnetar.message_id import MessageId
from magnetar.subscribe_command import subscribe_command
from magnetar.types import (
    ConsumerKeySharedPolicy,
    ConsumerType,
    InitialPosition,
    KeySharedMode,
)
from magnetar_proto import pulsar_api_pb2 as api

START = MessageId(2, 3, 4, 5)


def command(schema: api.Schema | None = None, **options: Any) -> api.CommandSubscribe:
    made = ConsumerOptions(subscription_name="s", **options)
    return subscribe_command("t", 7, made, schema, epoch=8, start=START)


def test_what_is_not_given_is_not_sent() -> None:
    plain = command()
    assert (plain.topic, plain.subscription, plain.consumer_id) == ("t", "s", 7)
    assert (plain.subType, plain.consumer_epoch) == (api.CommandSubscribe.Exclusive, 8)
    assert plain.durable
    assert plain.initialPosition == api.CommandSubscribe.Latest
    for name in (
        "consumer_name",
        "replicate_subscription_state",
        "start_message_id",
        "schema",
        "keySharedMeta",
    ):
        assert not plain.HasField(name), name
    assert not plain.metadata
    assert not plain.subscription_properties


def test_everything() -> None:
    full = command(
        api.Schema(name="string", type=api.Schema.String, schema_data=b""),
        consumer_type=ConsumerType.KeyShared,
        consumer_name="c",
        initial_position=InitialPosition.Earliest,
        is_read_compacted=True,
        priority_level=3,
        properties={"a": "1"},
        subscription_properties={"b": "2"},
        replicate_subscription_state_enabled=True,
        key_shared_policy=ConsumerKeySharedPolicy(KeySharedMode.Sticky, True, [(0, 10), (20, 30)]),
    )
    assert full.subType == api.CommandSubscribe.Key_Shared
    assert full.consumer_name == "c"
    assert full.initialPosition == api.CommandSubscribe.Earliest
    assert (full.read_compacted, full.priority_level) == (True, 3)
    assert [(each.key, each.value) for each in full.metadata] == [("a", "1")]
    assert [(each.key, each.value) for each in full.subscription_properties] == [("b", "2")]
    assert full.replicate_subscription_state
    assert full.schema.type == api.Schema.String
    meta = full.keySharedMeta
    assert (meta.keySharedMode, meta.allowOutOfOrderDelivery) == (api.STICKY, True)
    assert [(each.start, each.end) for each in meta.hashRanges] == [(0, 10), (20, 30)]


def test_keys_may_be_divided_by_the_broker() -> None:
    shared = command(key_shared_policy=ConsumerKeySharedPolicy())
    assert shared.keySharedMeta.keySharedMode == api.AUTO_SPLIT
    assert not shared.keySharedMeta.hashRanges


def test_only_what_is_not_durable_has_a_start() -> None:
    start = command(durable=False).start_message_id
    assert (start.ledgerId, start.entryId, start.partition, start.batch_index) == (3, 4, 2, 5)
    end = subscribe_command(
        "t", 7, ConsumerOptions(subscription_name="s", durable=False), None, epoch=0, start=None
    )
    assert not end.HasField("start_message_id")
    earliest = subscribe_command(
        "t",
        7,
        ConsumerOptions(subscription_name="s", durable=False),
        None,
        epoch=0,
        start=MessageId.earliest,
    )
    assert earliest.start_message_id.ledgerId == 2**64 - 1
    assert not earliest.start_message_id.HasField("batch_index")
