from typing import Any, get_type_hints

import pytest
from magnetar.consumer_options import ConsumerArguments, ConsumerOptions
from magnetar.errors import InvalidConfiguration
from magnetar.types import ConsumerDeadLetterPolicy, ConsumerType, MultiplierRedeliveryBackoff


@pytest.mark.parametrize(
    "wrong",
    [
        {"receiver_queue_size": -1},
        {"unacked_messages_timeout_ms": 9999},
        {"dead_letter_policy": ConsumerDeadLetterPolicy(1)},
        {"crypto_key_reader": object()},
    ],
)
def test_what_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfiguration):
        ConsumerOptions(subscription_name="s", **wrong)


def test_who_shares() -> None:
    shared = {
        kind: ConsumerOptions(subscription_name="s", consumer_type=kind).shared
        for kind in ConsumerType
    }
    assert [kind for kind, each in shared.items() if each] == [
        ConsumerType.Shared,
        ConsumerType.KeyShared,
    ]


def test_delays() -> None:
    plain = ConsumerOptions(subscription_name="s", negative_ack_redelivery_delay_ms=7)
    assert plain.redelivery_delay_ms(5) == 7
    growing = ConsumerOptions(
        subscription_name="s",
        negative_ack_redelivery_backoff=MultiplierRedeliveryBackoff(10, 100),
    )
    assert [growing.redelivery_delay_ms(each) for each in (0, 1, 9)] == [10, 20, 100]


def test_arguments_and_options_are_the_same() -> None:
    options = set(ConsumerOptions.__dataclass_fields__)
    own = {"subscription_name", "consumer_type", "durable", "start_message_id"}
    assert set(get_type_hints(ConsumerArguments)) == options - own
