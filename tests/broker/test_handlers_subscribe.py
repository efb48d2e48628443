from typing import Any

import pytest
from magnetar_broker.errors import InvalidSubscriptionNameError, NotAllowedError
from magnetar_broker.handlers_subscribe import consumer_options, subscription_options
from magnetar_broker.subscription_type import SubscriptionType
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


def test_key_shared_is_not_built() -> None:
    with pytest.raises(NotAllowedError, match="comes with a later version"):
        consumer_options(subscribe(subType=api.CommandSubscribe.Key_Shared))


@pytest.mark.parametrize("kind", list(SubscriptionType))
def test_compacted_reading_needs_an_order(kind: SubscriptionType) -> None:
    command = subscribe(subType=int(kind), read_compacted=True)
    if kind in (SubscriptionType.EXCLUSIVE, SubscriptionType.FAILOVER):
        assert consumer_options(command).type is kind
    else:
        with pytest.raises(NotAllowedError, match="compacted"):
            consumer_options(command)
