from typing import Any

import pytest
from magnetar_broker.errors import (
    ConsumerAssignFailedError,
    InvalidSubscriptionNameError,
    NotAllowedError,
)
from magnetar_broker.handlers_subscribe import consumer_options, subscription_options
from magnetar_broker.subscription_type import KeySharing, SubscriptionType
from magnetar_ledger.position import EARLIEST
from magnetar_proto import pulsar_api_pb2 as api


def subscribe(**fields: Any) -> api.CommandSubscribe:
    settings: dict[str, Any] = {
        "topic": "t",
        "subscription": "s",
        "subType": api.CommandSubscribe.Shared,
        "consumer_id": 7,
        "request_id": 8,
    }
    return api.CommandSubscribe(**(settings | fields))


def test_what_is_left_out_has_the_defaults_of_the_protocol() -> None:
    consumer = consumer_options(subscribe())
    assert (consumer.consumer_id, consumer.name, consumer.priority_level) == (7, "", 0)
    assert (consumer.type, consumer.epoch) == (SubscriptionType.SHARED, None)
    options = subscription_options(subscribe(), create=True)
    assert (options.name, options.durable, options.earliest) == ("s", True, False)
    assert (options.start, options.rollback_ms, options.create) == (None, 0, True)


def test_what_is_said_is_taken() -> None:
    pair = api.KeyValue(key="k", value="v")
    command = subscribe(
        consumer_name="me",
        priority_level=3,
        consumer_epoch=0,
        durable=False,
        metadata=[pair],
        subscription_properties=[pair],
        initialPosition=api.CommandSubscribe.Earliest,
        start_message_id=api.MessageIdData(ledgerId=2**64 - 1, entryId=2**64 - 1),
        start_message_rollback_duration_sec=2,
    )
    consumer = consumer_options(command)
    assert (consumer.name, consumer.priority_level, consumer.epoch) == ("me", 3, 0)
    assert consumer.metadata == {"k": "v"}
    options = subscription_options(command, create=False)
    assert (options.durable, options.earliest, options.create) == (False, True, False)
    assert (options.start, options.rollback_ms) == (EARLIEST, 2000)
    assert options.properties == {"k": "v"}


@pytest.mark.parametrize("name", ["", ".", "..", "pulsar.repl.east", "s" * 4097])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(InvalidSubscriptionNameError):
        consumer_options(subscribe(subscription=name))


def key_shared(**meta: object) -> api.CommandSubscribe:
    command = subscribe(subType=api.CommandSubscribe.Key_Shared)
    command.keySharedMeta.keySharedMode = api.AUTO_SPLIT
    command.keySharedMeta.MergeFrom(api.KeySharedMeta(**meta))  # type: ignore[arg-type]
    return command


def test_how_key_shared_consumers_share_keys() -> None:
    plain = consumer_options(subscribe(subType=api.CommandSubscribe.Key_Shared))
    assert (plain.sharing, list(plain.hash_ranges)) == (KeySharing(), [])
    ranges = [api.IntRange(start=5, end=9), api.IntRange(start=0, end=4)]
    sticky = consumer_options(key_shared(keySharedMode=api.STICKY, hashRanges=ranges))
    assert sticky.sharing == KeySharing(sticky=True)
    assert list(sticky.hash_ranges) == [(5, 9), (0, 4)]
    loose = consumer_options(key_shared(allowOutOfOrderDelivery=True, hashRanges=ranges))
    assert loose.sharing == KeySharing(out_of_order=True)
    assert list(loose.hash_ranges) == []


def test_sticky_ranges_must_not_overlap() -> None:
    ranges = [api.IntRange(start=0, end=9), api.IntRange(start=9, end=10)]
    with pytest.raises(ConsumerAssignFailedError):
        consumer_options(key_shared(keySharedMode=api.STICKY, hashRanges=ranges))


@pytest.mark.parametrize("kind", list(SubscriptionType))
def test_compacted_reading_needs_an_order(kind: SubscriptionType) -> None:
    command = subscribe(subType=int(kind), read_compacted=True)
    if kind in (SubscriptionType.EXCLUSIVE, SubscriptionType.FAILOVER):
        assert consumer_options(command).type is kind
    else:
        with pytest.raises(NotAllowedError, match="compacted"):
            consumer_options(command)
