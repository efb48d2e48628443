"""Non-persistent topics with the official client."""

import time
from collections.abc import Callable

import pytest
from pulsar import ConsumerType

from tests.interop.official import Session, receive_numbers, receive_rest, send_numbers

KINDS = [
    ConsumerType.Exclusive,
    ConsumerType.Failover,
    ConsumerType.Shared,
    ConsumerType.KeyShared,
]
both_ways = pytest.mark.parametrize("batched", [False, True], ids=["single", "batched"])


@pytest.fixture
def topic(new_topic: Callable[[], str]) -> str:
    """A name of a non-persistent topic that no other test uses."""
    return "non-" + new_topic()


@both_ways
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_messages_reach_who_listens(
    session: Session, topic: str, kind: ConsumerType, batched: bool
) -> None:
    producer = session.producer(topic, batched=batched)
    send_numbers(producer, range(10))  # nobody listens yet: they are gone
    consumer = session.consumer(topic, kind)
    time.sleep(0.2)  # for the permits of the consumer to arrive
    send_numbers(producer, range(100, 300))
    assert receive_numbers(consumer, 200) == list(range(100, 300))
    consumer.close()
    send_numbers(producer, range(5))
    assert receive_rest(session.consumer(topic, kind)) == []


def test_partitioned(session: Session, topic: str) -> None:
    session.put_partitions(topic, 3)
    consumer = session.consumer(topic, ConsumerType.Shared)
    time.sleep(0.2)
    send_numbers(session.producer(topic, batched=False), range(90))
    assert sorted(receive_numbers(consumer, 90)) == list(range(90))


def test_what_a_slow_consumer_has_no_room_for_is_dropped(session: Session, topic: str) -> None:
    consumer = session.consumer(topic, ConsumerType.Shared, receiver_queue_size=10)
    time.sleep(0.2)
    send_numbers(session.producer(topic, batched=False), range(500))
    got = receive_rest(consumer)
    assert 10 <= len(got) < 500
    assert got == sorted(set(got))
