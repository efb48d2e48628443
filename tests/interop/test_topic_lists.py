"""Subscriptions to all topics of a pattern, with the official client."""

import re
from collections.abc import Callable

import pytest

from tests.interop.official import Session, number_of, receive_until, send_numbers


def send_to(session: Session, topic: str, numbers: range) -> None:
    send_numbers(session.producer(topic, batched=False), numbers)


def test_pattern_subscription(session: Session, new_topic: Callable[[], str]) -> None:
    """Plain and partitioned topics, one of which ends while it is consumed."""
    base = new_topic()
    send_to(session, f"{base}-a", range(10))
    session.put_partitions(f"{base}-b", 3)
    send_to(session, f"{base}-b", range(10, 20))
    send_to(session, new_topic(), range(99, 100))
    consumer = session.consumer(re.compile(f"{base}-.*"))
    assert sorted(receive_until(consumer, set(range(20)))) == list(range(20))
    session.delete_topic(f"{base}-a")
    send_to(session, f"{base}-b", range(20, 21))
    assert number_of(consumer.receive(timeout_millis=10_000)) == 20


@pytest.mark.nightly
def test_pattern_subscription_follows_new_topics(
    session: Session, new_topic: Callable[[], str]
) -> None:
    """The client looks for new topics every 60 s, whatever it is told."""
    base = new_topic()
    send_to(session, f"{base}-a", range(10))
    consumer = session.consumer(re.compile(f"{base}-.*"))
    send_to(session, f"{base}-b", range(10, 20))
    session.put_partitions(f"{base}-c", 2)
    send_to(session, f"{base}-c", range(20, 30))
    numbers = receive_until(consumer, set(range(30)), timeout_ms=75_000)
    assert sorted(numbers) == list(range(30))
