"""Messages that come later or again: delays, negative acks, ack timeouts, dead letters."""

import time
from datetime import timedelta

import pytest
from pulsar import ConsumerDeadLetterPolicy, ConsumerType

from tests.interop.official import (
    RECEIVE_TIMEOUT_MS,
    Session,
    number_of,
    payload_of,
    place_of,
    receive_numbers,
    receive_rest,
    send_numbers,
)

many_take = pytest.mark.parametrize(
    "kind", [ConsumerType.Shared, ConsumerType.KeyShared], ids=lambda kind: kind.name
)
DELAY_S = 1.5
TICK_S = 1.0
EARLY_S = TICK_S + 0.01
"""A message may come `delayedDeliveryTickTimeMillis` too early, and times are cut to ms."""
SLACK_S = 5.0


@many_take
def test_delayed_messages_come_at_their_time(
    session: Session, topic: str, kind: ConsumerType
) -> None:
    consumer = session.consumer(topic, kind)
    producer = session.producer(topic, batched=True)  # a delayed message is in no batch
    started_s = time.time()
    producer.send(payload_of(1), deliver_after=timedelta(seconds=DELAY_S))
    producer.send(payload_of(2), deliver_at=int((started_s + DELAY_S + TICK_S) * 1000))
    producer.send(payload_of(0))
    for number, delay_s in enumerate((0.0, DELAY_S, DELAY_S + TICK_S)):
        message = consumer.receive(timeout_millis=RECEIVE_TIMEOUT_MS)
        consumer.acknowledge(message)
        assert number_of(message) == number
        took_s = time.time() - started_s
        assert delay_s - EARLY_S <= took_s <= delay_s + SLACK_S


@pytest.mark.parametrize(
    "kind", [ConsumerType.Exclusive, ConsumerType.Failover], ids=lambda kind: kind.name
)
def test_one_consumer_gets_delayed_messages_at_once(
    session: Session, topic: str, kind: ConsumerType
) -> None:
    consumer = session.consumer(topic, kind)
    producer = session.producer(topic, batched=False)
    producer.send(payload_of(0), deliver_after=timedelta(hours=1))
    producer.send(payload_of(1))
    assert receive_numbers(consumer, 2) == [0, 1]


def test_a_negative_ack_waits_for_its_delay(session: Session, topic: str) -> None:
    delay_ms = 600
    consumer = session.consumer(
        topic, ConsumerType.Shared, negative_ack_redelivery_delay_ms=delay_ms
    )
    send_numbers(session.producer(topic, batched=False), range(3))
    messages = [consumer.receive(timeout_millis=RECEIVE_TIMEOUT_MS) for _ in range(3)]
    refused_s = time.monotonic()
    consumer.negative_acknowledge(messages[1])
    for index in (0, 2):
        consumer.acknowledge(messages[index])
    again = consumer.receive(timeout_millis=RECEIVE_TIMEOUT_MS)
    assert (number_of(again), again.redelivery_count()) == (1, 1)
    assert time.monotonic() - refused_s >= delay_ms / 1000 * 0.5  # the client's timer is coarse
    consumer.acknowledge(again)
    assert receive_rest(consumer) == []


@pytest.mark.nightly
def test_an_ack_timeout_brings_a_message_again(session: Session, topic: str) -> None:
    """The client takes no less than 10 s."""
    consumer = session.consumer(topic, ConsumerType.Shared, unacked_messages_timeout_ms=10_000)
    send_numbers(session.producer(topic, batched=False), range(2))
    first = consumer.receive(timeout_millis=RECEIVE_TIMEOUT_MS)
    consumer.acknowledge(consumer.receive(timeout_millis=RECEIVE_TIMEOUT_MS))
    again = consumer.receive(timeout_millis=30_000)
    assert (number_of(again), again.redelivery_count()) == (number_of(first), 1)


@many_take
@pytest.mark.parametrize("batched", [False, True], ids=["single", "batched"])
def test_a_poison_message_ends_as_a_dead_letter(
    session: Session, topic: str, kind: ConsumerType, batched: bool
) -> None:
    dead = session.consumer(f"{topic}-sub-DLQ")
    consumer = session.consumer(
        topic,
        kind,
        dead_letter_policy=ConsumerDeadLetterPolicy(max_redeliver_count=2),
        negative_ack_redelivery_delay_ms=100,
        batch_index_ack_enabled=True,
    )
    producer = session.producer(topic, batched=batched)
    places = [place_of(id_)[:2] for id_ in send_numbers(producer, range(5))]
    counts = []
    for _ in range(5 + 2):
        message = consumer.receive(timeout_millis=RECEIVE_TIMEOUT_MS)
        if number_of(message) == 3:
            counts.append(message.redelivery_count())
            consumer.negative_acknowledge(message)
        else:
            consumer.acknowledge(message)
    assert counts == [0, 1, 2]
    letter = dead.receive(timeout_millis=RECEIVE_TIMEOUT_MS)
    assert letter.properties()["REAL_TOPIC"] == topic
    letters = [number_of(letter), *receive_rest(dead)]
    # Of a batch the client sends all messages, also those that were acknowledged.
    assert letters == [number for number in range(5) if places[number] == places[3]]
    assert receive_rest(consumer) == []
