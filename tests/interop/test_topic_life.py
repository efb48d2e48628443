"""Unload, terminate, delete and more partitions under the official client."""

from collections.abc import Callable

import pulsar
import pytest
from pulsar import ConsumerType

from bench.servers import Server
from tests.interop.official import (
    Session,
    admin,
    first_seen,
    receive_numbers,
    receive_rest,
    receive_until,
    send_numbers,
)


def path_of(topic: str) -> str:
    """Where the admin API has a topic."""
    return f"/admin/v2/{topic.replace('://', '/')}"


def test_unload_is_not_noticed(session: Session, broker: Server, topic: str) -> None:
    consumer = session.consumer(topic, ConsumerType.Shared)
    producer = session.producer(topic, batched=False)
    numbers: list[int] = []
    for step in range(3):
        send_numbers(producer, range(step * 100, step * 100 + 100))
        numbers += receive_numbers(consumer, 50)
        admin(broker, "PUT", f"{path_of(topic)}/unload")
    numbers += receive_until(consumer, set(range(300)) - set(numbers))
    assert set(numbers) == set(range(300))


def test_terminated_topic_is_read_to_its_end(session: Session, broker: Server, topic: str) -> None:
    consumer = session.consumer(topic)
    send_numbers(session.producer(topic, batched=False), range(10))
    admin(broker, "POST", f"{path_of(topic)}/terminate")
    with pytest.raises(pulsar.TopicTerminated):
        session.producer(topic, batched=False)
    assert receive_numbers(consumer, 10) == list(range(10))
    # Apache Pulsar tells this client of the end, which it takes for a reason to connect again.
    assert first_seen(receive_rest(session.consumer(topic, name="late"))) == list(range(10))


def test_more_partitions_lose_nothing_for_old_subscriptions(
    session: Session, broker: Server, new_topic: Callable[[], str]
) -> None:
    topic = new_topic()
    session.put_partitions(topic, 2)
    session.consumer(topic, ConsumerType.Shared).close()
    admin(broker, "POST", f"{path_of(topic)}/partitions", b"5")
    assert len(session.client.get_topic_partitions(topic)) == 5
    send_numbers(session.producer(topic, batched=False), range(100))
    consumer = session.consumer(
        topic, ConsumerType.Shared, initial_position=pulsar.InitialPosition.Latest
    )
    assert sorted(receive_numbers(consumer, 100)) == list(range(100))


def test_deleted_topic_begins_anew(session: Session, broker: Server, topic: str) -> None:
    send_numbers(session.producer(topic, batched=False), range(10))
    session.delete_topic(topic)
    assert receive_rest(session.consumer(topic)) == []
