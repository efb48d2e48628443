"""The ways in which the official client receives: listeners, batches, several topics, readers."""

import queue
import re
import time
from collections.abc import Callable

import pulsar
import pytest
from pulsar import ConsumerBatchReceivePolicy, ConsumerType, MessageId, RegexSubscriptionMode

from bench.servers import ApachePulsar
from tests.interop.official import (
    RECEIVE_TIMEOUT_MS,
    Session,
    number_of,
    receive_numbers,
    receive_until,
    send_numbers,
    wait_until,
)

QUEUE_TIMEOUT_S = 20.0
SILENCE_S = 0.7


class Listener:
    """Takes what a consumer or reader is handed, and acknowledges to a consumer."""

    def __init__(self) -> None:
        self.came: queue.Queue[int] = queue.Queue()

    def consume(self, consumer: pulsar.Consumer, message: pulsar.Message) -> None:
        self.came.put(number_of(message))
        consumer.acknowledge(message)

    def read(self, _: pulsar.Reader, message: pulsar.Message) -> None:
        self.came.put(number_of(message))

    def take(self, count: int) -> list[int]:
        """The next so many."""
        return [self.came.get(timeout=QUEUE_TIMEOUT_S) for _ in range(count)]

    def is_silent(self) -> bool:
        """Whether nothing comes for a while."""
        try:
            self.came.get(timeout=SILENCE_S)
        except queue.Empty:
            return True
        return False


def test_a_listener_pauses_and_goes_on(session: Session, topic: str) -> None:
    listener = Listener()
    consumer = session.consumer(topic, message_listener=listener.consume)
    producer = session.producer(topic, batched=False)
    send_numbers(producer, range(10))
    assert listener.take(10) == list(range(10))
    consumer.pause_message_listener()
    send_numbers(producer, range(10, 20))
    assert listener.is_silent()
    consumer.resume_message_listener()
    assert listener.take(10) == list(range(10, 20))
    assert listener.is_silent()


def test_messages_in_batches(session: Session, topic: str) -> None:
    policy = ConsumerBatchReceivePolicy(max_num_message=10, max_num_bytes=-1, timeout_ms=500)
    consumer = session.consumer(topic, batch_receive_policy=policy)
    send_numbers(session.producer(topic, batched=True), range(25))
    batches = []
    while sum(map(len, batches)) < 25:
        batches.append([number_of(message) for message in consumer.batch_receive()])
    assert [number for batch in batches for number in batch] == list(range(25))
    assert all(len(batch) <= 10 for batch in batches)
    assert not consumer.batch_receive(), "an empty batch ends the wait"


def test_a_batch_is_full_by_its_bytes(session: Session, topic: str) -> None:
    policy = ConsumerBatchReceivePolicy(max_num_message=-1, max_num_bytes=1000, timeout_ms=-1)
    consumer = session.consumer(topic, batch_receive_policy=policy)
    send_numbers(session.producer(topic, batched=False), range(40))  # of 82 bytes and more
    sizes = [len(consumer.batch_receive()) for _ in range(3)]
    assert all(10 <= size <= 13 for size in sizes), sizes


def test_a_list_of_topics(session: Session, new_topic: Callable[[], str]) -> None:
    """Plain and partitioned ones; order holds in each."""
    topics = [new_topic() for _ in range(3)]
    session.put_partitions(topics[2], 2)
    consumer = session.client.subscribe(
        topics, "sub", initial_position=pulsar.InitialPosition.Earliest
    )
    for start, topic in zip((0, 100, 200), topics, strict=True):
        send_numbers(session.producer(topic, batched=False), range(start, start + 20))
    came = receive_numbers(consumer, 60)
    assert sorted(came) == [*range(20), *range(100, 120), *range(200, 220)]
    for start in (0, 100):
        assert [n for n in came if start <= n < start + 20] == list(range(start, start + 20))
    consumer.seek(MessageId.earliest)
    assert sorted(receive_numbers(consumer, 60)) == sorted(came)


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        (RegexSubscriptionMode.PersistentOnly, {0, 1}),
        (RegexSubscriptionMode.NonPersistentOnly, {10, 11}),
        (RegexSubscriptionMode.AllTopics, {0, 1, 10, 11}),
    ],
    ids=lambda value: value.name if isinstance(value, RegexSubscriptionMode) else "",
)
def test_a_pattern_of_each_domain(
    session: Session, topic: str, mode: RegexSubscriptionMode, wanted: set[int]
) -> None:
    local = topic.removeprefix("persistent://")
    kept = session.producer(f"persistent://{local}-kept", batched=False)
    volatile = session.producer(f"non-persistent://{local}-volatile", batched=False)
    consumer = session.consumer(re.compile(f"{topic}-.*"), regex_subscription_mode=mode)
    _wait_until_it_reaches(session, f"non-persistent://{local}-volatile", mode)
    send_numbers(kept, [0, 1])
    send_numbers(volatile, [10, 11])
    assert set(receive_until(consumer, wanted)) == wanted
    with pytest.raises(pulsar.Timeout):
        consumer.receive(timeout_millis=200)


def _wait_until_it_reaches(session: Session, topic: str, mode: RegexSubscriptionMode) -> None:
    """A non-persistent topic has what it is sent only for who has asked for messages."""
    if mode is not RegexSubscriptionMode.PersistentOnly:
        wait_until(lambda: session.permits(topic, "sub") > 0)


def test_a_reader_with_a_listener(session: Session, topic: str) -> None:
    listener = Listener()
    producer = session.producer(topic, batched=True)
    send_numbers(producer, range(5))
    session.reader(topic, MessageId.earliest, reader_listener=listener.read)
    send_numbers(producer, range(5, 10))
    assert listener.take(10) == list(range(10))


def _has_message(session: Session, reader: pulsar.Reader) -> bool:
    """Apache's broker may refuse the question while its subscription is being reset."""
    for _ in range(20 if isinstance(session.server, ApachePulsar) else 0):
        try:
            return bool(reader.has_message_available())
        except pulsar.BrokerMetadataError:
            time.sleep(0.05)
    return bool(reader.has_message_available())


def test_a_reader_seeks(session: Session, topic: str) -> None:
    ids = send_numbers(session.producer(topic, batched=False), range(20))
    reader = session.reader(topic, MessageId.earliest, start_message_id_inclusive=True)
    assert [number_of(reader.read_next(RECEIVE_TIMEOUT_MS)) for _ in range(20)] == list(range(20))
    assert not reader.has_message_available()
    reader.seek(ids[15])
    assert [number_of(reader.read_next(RECEIVE_TIMEOUT_MS)) for _ in range(5)] == [*range(15, 20)]
    reader.seek(1)  # a time: the first ms of 1970
    assert _has_message(session, reader)
    assert number_of(reader.read_next(RECEIVE_TIMEOUT_MS)) == 0


def test_a_reader_of_a_partitioned_topic(session: Session, topic: str) -> None:
    session.put_partitions(topic, 3)
    reader = session.reader(topic, MessageId.earliest)
    assert not reader.has_message_available()
    send_numbers(session.producer(topic, batched=False), range(30))
    came = []
    while reader.has_message_available():
        came.append(number_of(reader.read_next(RECEIVE_TIMEOUT_MS)))
    assert sorted(came) == list(range(30))


def test_a_table_view(session: Session, topic: str) -> None:
    schema = pulsar.schema.StringSchema()
    producer = session.client.create_producer(topic, schema=schema)
    for key, value in (("a", "1"), ("b", "2"), ("a", "3")):
        producer.send(value, partition_key=key)
    view = session.client.create_table_view(topic, schema=schema)
    assert (view.get("a"), view.get("b"), view.get("c"), len(view)) == ("3", "2", None, 2)
    told: queue.Queue[tuple[str, str]] = queue.Queue()
    view.for_each_and_listen(lambda key, value: told.put((key, value)))
    assert sorted(told.get(timeout=QUEUE_TIMEOUT_S) for _ in "ab") == [("a", "3"), ("b", "2")]
    producer.send("4", partition_key="c")
    assert told.get(timeout=QUEUE_TIMEOUT_S) == ("c", "4")
    producer.send("", partition_key="a")
    wait_until(lambda: view.get("a") is None)
    view.close()


def test_listeners_share_the_messages(session: Session, topic: str) -> None:
    listeners = [Listener() for _ in "ab"]
    for listener in listeners:
        session.consumer(topic, ConsumerType.Shared, message_listener=listener.consume)
    send_numbers(session.producer(topic, batched=False), range(200))
    wait_until(lambda: sum(each.came.qsize() for each in listeners) == 200)
    shares = [each.take(each.came.qsize()) for each in listeners]
    assert sorted(shares[0] + shares[1]) == list(range(200))
    assert all(shares), "one listener got nothing"
