"""Producers of the official client: access modes, chunks, the first subscription of dead letters,
deduplication."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pulsar
import pytest
from pulsar import (
    ConsumerDeadLetterPolicy,
    ConsumerType,
    MessageId,
    PartitionsRoutingMode,
    ProducerAccessMode,
)

from bench.servers import Magnetar, Server
from tests.interop.official import (
    RECEIVE_TIMEOUT_MS,
    Session,
    payload_of,
    place_of,
    receive_numbers,
    receive_rest,
    send_numbers,
    wait_until,
)

LARGE_BYTES = 12 << 20  # more than two of the largest messages


def test_an_exclusive_producer_keeps_others_out(session: Session, topic: str) -> None:
    owner = session.producer(topic, batched=False, access_mode=ProducerAccessMode.Exclusive)
    with pytest.raises(pulsar.ProducerBusy):
        session.producer(topic, batched=False)
    with pytest.raises(pulsar.ProducerFenced):
        session.producer(topic, batched=False, access_mode=ProducerAccessMode.Exclusive)
    owner.close()
    session.producer(topic, batched=False)


def test_a_producer_waits_until_it_is_alone(broker: Server, session: Session, topic: str) -> None:
    owner = session.producer(topic, batched=False, access_mode=ProducerAccessMode.Exclusive)
    ready: list[pulsar.Producer] = []
    with Session(broker) as other:

        def wait() -> None:
            mode = ProducerAccessMode.WaitForExclusive
            ready.append(other.producer(topic, batched=False, access_mode=mode))

        waiting = threading.Thread(target=wait)
        waiting.start()
        send_numbers(owner, range(3))
        waiting.join(0.5)
        assert not ready
        owner.close()
        waiting.join(20)
        send_numbers(ready[0], range(3, 6))


def test_an_owner_with_fencing_drives_the_former_out(
    broker: Server, session: Session, topic: str
) -> None:
    consumer = session.consumer(topic)
    with Session(broker, quiet=True) as former:
        mode = ProducerAccessMode.Exclusive
        owner = former.producer(topic, batched=False, access_mode=mode)
        send_numbers(owner, range(3))
        mode = ProducerAccessMode.ExclusiveWithFencing
        newcomer = session.producer(topic, batched=False, access_mode=mode)
        with pytest.raises((pulsar.ProducerFenced, pulsar.AlreadyClosed)):
            owner.send(payload_of(100))
        send_numbers(newcomer, range(3, 6))
    assert receive_numbers(consumer, 6) == list(range(6))


def test_chunked_messages_of_two_producers_come_whole(session: Session, topic: str) -> None:
    consumer = session.consumer(topic, ConsumerType.Shared)
    producers = [session.producer(topic, batched=False, chunking_enabled=True) for _ in "ab"]
    contents = [bytes((65 + number,)) * (LARGE_BYTES + number) for number in range(4)]
    ended: list[pulsar.Result] = []

    def done(result: pulsar.Result, _: MessageId) -> None:
        ended.append(result)

    for number, content in enumerate(contents):
        producers[number % 2].send_async(content, done)
    wait_until(lambda: len(ended) == len(contents))
    assert set(ended) == {pulsar.Result.Ok}
    came = []
    for _ in contents:
        message = consumer.receive(timeout_millis=RECEIVE_TIMEOUT_MS)
        consumer.acknowledge(message)
        came.append(message.data())
    assert sorted(came) == contents


def test_dead_letters_are_kept_by_the_first_subscription(session: Session, topic: str) -> None:
    policy = ConsumerDeadLetterPolicy(
        max_redeliver_count=1, dead_letter_topic=f"{topic}-dead", initial_subscription_name="first"
    )
    consumer = session.consumer(
        topic,
        ConsumerType.Shared,
        dead_letter_policy=policy,
        negative_ack_redelivery_delay_ms=100,
    )
    send_numbers(session.producer(topic, batched=False), [7])
    for _ in range(2):
        consumer.negative_acknowledge(consumer.receive(timeout_millis=RECEIVE_TIMEOUT_MS))
    assert receive_rest(consumer) == []
    # Made later than the dead letter, and yet it gets it.
    dead = session.consumer(f"{topic}-dead", ConsumerType.Shared, name="first")
    assert receive_numbers(dead, 1) == [7]


def test_one_partition_takes_all_of_a_producer(session: Session, topic: str) -> None:
    session.put_partitions(topic, 4)
    producer = session.producer(
        topic, batched=True, message_routing_mode=PartitionsRoutingMode.UseSinglePartition
    )
    ids = send_numbers(producer, range(40))
    assert len({each.partition() for each in ids}) == 1
    keyed = [producer.send(b"0", partition_key="k").partition() for _ in range(3)]
    assert len(set(keyed)) == 1


def test_a_program_routes_by_itself(session: Session, topic: str) -> None:
    session.put_partitions(topic, 3)
    consumer = session.consumer(topic, ConsumerType.Shared)
    producer = session.producer(
        topic,
        batched=False,
        message_routing_mode=PartitionsRoutingMode.CustomPartition,
        message_router=lambda message, count: int(message.data().split(b":")[0]) % count,
    )
    ids = send_numbers(producer, range(30))
    assert sorted(each.partition() for each in ids) == [*[0] * 10, *[1] * 10, *[2] * 10]
    assert sorted(receive_numbers(consumer, 30)) == list(range(30))


def test_producers_of_partitions_begin_when_they_are_needed(session: Session, topic: str) -> None:
    session.put_partitions(topic, 3)
    producer = session.producer(topic, batched=False, lazy_start_partitioned_producers=True)
    names = [f"{topic}-partition-{index}" for index in range(3)]
    assert sum(len(session.stats(name)["publishers"]) for name in names) == 1
    send_numbers(producer, range(30))
    assert [len(session.stats(name)["publishers"]) for name in names] == [1, 1, 1]
    assert sorted(receive_numbers(session.consumer(topic), 30)) == list(range(30))


def test_sequence_ids_begin_where_they_are_told(session: Session, topic: str) -> None:
    producer = session.producer(topic, batched=False, initial_sequence_id=41)
    assert producer.last_sequence_id() == 41
    producer.send(payload_of(0))
    assert producer.last_sequence_id() == 42
    producer.send(payload_of(1), sequence_id=100)
    assert producer.last_sequence_id() == 100
    assert receive_numbers(session.consumer(topic), 2) == [0, 1]


def test_a_chunked_message_is_sought_as_a_whole(session: Session, topic: str) -> None:
    consumer = session.consumer(topic, start_message_id_inclusive=True)
    producer = session.producer(topic, batched=False, chunking_enabled=True)
    contents = [b"small", b"x" * LARGE_BYTES, b"end"]
    ids = [producer.send(each) for each in contents]
    for start in (0, 1):
        for content in contents[start:]:
            message = consumer.receive(timeout_millis=RECEIVE_TIMEOUT_MS)
            assert message.data() == content
            consumer.acknowledge(message)
        consumer.seek(ids[1])


@pytest.fixture
def deduplicating(tmp_path: Path) -> Iterator[Magnetar]:
    server = Magnetar(tmp_path, {"brokerDeduplicationEnabled": "true"})
    server.start()
    yield server
    server.kill()


@pytest.mark.official
@pytest.mark.parametrize("batched", [False, True], ids=["single", "batched"])
def test_sequence_ids_go_on_after_a_restart(
    deduplicating: Magnetar, new_topic: Callable[[], str], batched: bool
) -> None:
    topic = new_topic()
    with Session(deduplicating) as session:
        consumer = session.consumer(topic)
        producer = session.producer(topic, batched=batched, producer_name="p")
        assert producer.last_sequence_id() == -1
        send_numbers(producer, range(100))
    deduplicating.stop()
    deduplicating.start()
    with Session(deduplicating) as session:
        consumer = session.consumer(topic)
        producer = session.producer(topic, batched=False, producer_name="p")
        assert producer.last_sequence_id() == 99
        again = producer.send(payload_of(50), sequence_id=50)
        assert place_of(again)[:2] == (-1, -1)
        send_numbers(producer, range(100, 110))
        assert receive_numbers(consumer, 110) == list(range(110))
        assert receive_rest(consumer) == []


@pytest.mark.official
def test_a_chunked_message_that_is_sent_again_is_there_once(
    deduplicating: Magnetar, new_topic: Callable[[], str]
) -> None:
    topic = new_topic()
    with Session(deduplicating) as session:
        consumer = session.consumer(topic)
        producer = session.producer(topic, batched=False, producer_name="p", chunking_enabled=True)
        contents = [bytes((65 + number,)) * LARGE_BYTES for number in range(2)]
        for number, content in enumerate(contents):
            producer.send(content, sequence_id=number)
        producer.send(contents[1], sequence_id=1)
        for content in contents:
            message = consumer.receive(timeout_millis=RECEIVE_TIMEOUT_MS)
            assert message.data() == content
            consumer.acknowledge(message)
        with pytest.raises(pulsar.Timeout):
            consumer.receive(timeout_millis=700)
