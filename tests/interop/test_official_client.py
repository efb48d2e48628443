"""What the official client relies on, the same on Magnetar and on Apache Pulsar.

MESSAGES=100000 is the long form of the first tests; the default keeps the file under a minute.
"""

import itertools
import os
import time
from collections.abc import Callable

import pulsar
import pytest
from pulsar import ConsumerType, InitialPosition, MessageId

from bench.servers import Magnetar, Server
from tests.interop.official import (
    SILENCE_MS,
    Session,
    first_seen,
    number_of,
    place_of,
    receive_numbers,
    receive_rest,
    receive_until,
    send_numbers,
)

MESSAGES = int(os.environ.get("MESSAGES", "2000"))
ORDERED = [ConsumerType.Exclusive, ConsumerType.Failover]
KINDS = [*ORDERED, ConsumerType.Shared]
both_ways = pytest.mark.parametrize("batched", [False, True], ids=["single", "batched"])
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
ordered_kind = pytest.mark.parametrize("kind", ORDERED, ids=lambda kind: kind.name)


@both_ways
@every_kind
def test_every_message_comes_once_and_in_order(
    session: Session, topic: str, kind: ConsumerType, batched: bool
) -> None:
    consumer = session.consumer(topic, kind)
    ids = send_numbers(session.producer(topic, batched=batched), range(MESSAGES))
    assert receive_numbers(consumer, MESSAGES) == list(range(MESSAGES))
    assert receive_rest(consumer) == []
    assert [place_of(id_) for id_ in ids] == sorted({place_of(id_) for id_ in ids})


@both_ways
def test_shared_consumers_split_the_messages(session: Session, topic: str, batched: bool) -> None:
    consumers = [session.consumer(topic, ConsumerType.Shared) for _ in range(3)]
    send_numbers(session.producer(topic, batched=batched, batching_max_messages=10), range(1000))
    shares = [receive_rest(consumer) for consumer in consumers]
    assert sorted(itertools.chain(*shares)) == list(range(1000))
    assert all(shares), "one consumer got nothing"
    assert all(share == sorted(share) for share in shares)


def test_restart_in_between_loses_nothing(broker: Server, new_topic: Callable[[], str]) -> None:
    """Every kind, batched and not, with clients that live through the restart."""
    half = MESSAGES // 2
    with Session(broker, quiet=True) as session:
        cases = []
        for kind in KINDS:
            for batched in (False, True):
                topic = new_topic()
                consumer = session.consumer(topic, kind)
                producer = session.producer(topic, batched=batched)
                send_numbers(producer, range(half))
                before = receive_numbers(consumer, half // 2)
                cases.append((kind, consumer, producer, before))
        broker.stop()
        broker.start()
        for kind, consumer, producer, before in cases:
            send_numbers(producer, range(half, 2 * half))
            after = receive_until(consumer, set(range(2 * half)) - set(before))
            numbers = first_seen(before + after)
            assert sorted(numbers) == list(range(2 * half)), kind
            if kind in ORDERED:
                assert numbers == list(range(2 * half)), kind


def test_acknowledged_messages_do_not_come_again_after_a_clean_restart(
    broker: Server, new_topic: Callable[[], str]
) -> None:
    topics = {kind: new_topic() for kind in KINDS}
    with Session(broker) as session:
        for kind, topic in topics.items():
            consumer = session.consumer(topic, kind)
            send_numbers(session.producer(topic, batched=False), range(100))
            for number in range(100):
                message = consumer.receive(timeout_millis=10_000)
                # Holes on purpose: every tenth message stays unacknowledged.
                if number % 10 or kind is not ConsumerType.Shared:
                    consumer.acknowledge(message)
            consumer.close()
    broker.stop()
    broker.start()
    with Session(broker) as session:
        for kind, topic in topics.items():
            expected = list(range(0, 100, 10)) if kind is ConsumerType.Shared else []
            again = receive_rest(session.consumer(topic, kind), at_least=len(expected))
            if isinstance(broker, Magnetar):
                assert again == expected, kind
            else:  # under load it is stopped before it has written all its cursors
                assert set(again) >= set(expected), kind


@ordered_kind
def test_cumulative_ack_covers_everything_before(
    session: Session, topic: str, kind: ConsumerType
) -> None:
    consumer = session.consumer(topic, kind)
    send_numbers(session.producer(topic, batched=False), range(20))
    messages = [consumer.receive(timeout_millis=10_000) for _ in range(20)]
    consumer.acknowledge_cumulative(messages[14])
    consumer.close()
    consumer = session.consumer(topic, kind)
    assert receive_numbers(consumer, 5) == list(range(15, 20))
    assert receive_rest(consumer) == []


def test_second_exclusive_consumer_is_refused(session: Session, topic: str) -> None:
    session.consumer(topic)
    with pytest.raises(pulsar.ConsumerBusy):
        session.consumer(topic)
    with pytest.raises(pulsar.ConsumerBusy):
        session.consumer(topic, ConsumerType.Shared)


def test_failover_hands_over_what_was_not_acknowledged(session: Session, topic: str) -> None:
    consumers = [session.consumer(topic, ConsumerType.Failover, consumer_name=n) for n in "ab"]
    send_numbers(session.producer(topic, batched=False), range(50))
    shares = [_try_receive(consumer, 50) for consumer in consumers]
    active, standby = (0, 1) if shares[0] else (1, 0)
    assert [number_of(m) for m in shares[active]] == list(range(50))
    assert shares[standby] == [], "only the active consumer gets messages"
    for message in shares[active][:20]:
        consumers[active].acknowledge(message)
    consumers[active].close()
    assert receive_numbers(consumers[standby], 30) == list(range(20, 50))


def _try_receive(consumer: pulsar.Consumer, count: int) -> list[pulsar.Message]:
    messages: list[pulsar.Message] = []
    while len(messages) < count:
        try:
            messages.append(consumer.receive(timeout_millis=2 * SILENCE_MS))
        except pulsar.Timeout:
            break
    return messages


@both_ways
def test_reader_starts_where_it_is_told(session: Session, topic: str, batched: bool) -> None:
    ids = send_numbers(session.producer(topic, batched=batched), range(30))
    assert _read_all(session.reader(topic, MessageId.earliest)) == list(range(30))
    assert _read_all(session.reader(topic, ids[10])) == list(range(11, 30))
    inclusive = session.reader(topic, ids[10], start_message_id_inclusive=True)
    assert _read_all(inclusive) == list(range(10, 30))
    latest = session.reader(topic, MessageId.latest)
    assert not latest.has_message_available()
    send_numbers(session.producer(topic, batched=batched), range(30, 33))
    assert [number_of(latest.read_next(10_000)) for _ in range(3)] == [30, 31, 32]


def _read_all(reader: pulsar.Reader) -> list[int]:
    numbers = []
    while reader.has_message_available():
        numbers.append(number_of(reader.read_next(timeout_millis=10_000)))
    return numbers


def test_reader_of_an_empty_topic_has_nothing(session: Session, topic: str) -> None:
    reader = session.reader(topic, MessageId.earliest)
    assert not reader.has_message_available()
    with pytest.raises(pulsar.Timeout):
        reader.read_next(timeout_millis=200)


@both_ways
@every_kind
def test_seek_by_id_delivers_that_message_first(
    session: Session, topic: str, kind: ConsumerType, batched: bool
) -> None:
    consumer = session.consumer(topic, kind, start_message_id_inclusive=True)
    ids = send_numbers(session.producer(topic, batched=batched), range(40))
    assert receive_numbers(consumer, 40) == list(range(40))
    consumer.seek(ids[25])
    assert receive_numbers(consumer, 15) == list(range(25, 40))
    consumer.seek(MessageId.earliest)
    assert receive_numbers(consumer, 40) == list(range(40))
    consumer.seek(MessageId.latest)
    assert receive_rest(consumer) == []


def test_seek_by_time_starts_at_that_publish_time(session: Session, topic: str) -> None:
    consumer = session.consumer(topic)
    producer = session.producer(topic, batched=False)
    send_numbers(producer, range(10))
    time.sleep(0.05)
    between_ms = int(time.time() * 1000)
    time.sleep(0.05)
    send_numbers(producer, range(10, 20))
    assert receive_numbers(consumer, 20) == list(range(20))
    consumer.seek(between_ms)
    assert receive_numbers(consumer, 10) == list(range(10, 20))
    consumer.seek(1)
    assert receive_numbers(consumer, 20) == list(range(20))


def test_nack_on_shared_counts_redeliveries(session: Session, topic: str) -> None:
    consumer = session.consumer(topic, ConsumerType.Shared, negative_ack_redelivery_delay_ms=100)
    send_numbers(session.producer(topic, batched=False), [7])
    for count in range(3):
        message = consumer.receive(timeout_millis=10_000)
        assert (number_of(message), message.redelivery_count()) == (7, count)
        consumer.negative_acknowledge(message)
    message = consumer.receive(timeout_millis=10_000)
    assert message.redelivery_count() == 3
    consumer.acknowledge(message)
    assert receive_rest(consumer) == []


def test_nack_on_exclusive_comes_again_without_a_count(session: Session, topic: str) -> None:
    consumer = session.consumer(topic, negative_ack_redelivery_delay_ms=100)
    send_numbers(session.producer(topic, batched=False), range(3))
    assert receive_numbers(consumer, 2) == [0, 1]
    message = consumer.receive(timeout_millis=10_000)
    consumer.negative_acknowledge(message)
    message = consumer.receive(timeout_millis=10_000)
    assert (number_of(message), message.redelivery_count()) == (2, 0)


def test_ack_timeout_redelivers(session: Session, topic: str) -> None:
    consumer = session.consumer(
        topic, ConsumerType.Shared, unacked_messages_timeout_ms=10_000, receiver_queue_size=10
    )
    send_numbers(session.producer(topic, batched=False), range(2))
    assert receive_numbers(consumer, 2, ack=False) == [0, 1]
    consumer.redeliver_unacknowledged_messages()
    assert sorted(receive_numbers(consumer, 2)) == [0, 1]


def test_unacknowledged_messages_go_to_another_shared_consumer(
    session: Session, topic: str
) -> None:
    leaver = session.consumer(topic, ConsumerType.Shared)
    send_numbers(session.producer(topic, batched=False), range(20))
    receive_numbers(leaver, 5)
    stayer = session.consumer(topic, ConsumerType.Shared)
    leaver.close()
    assert sorted(receive_rest(stayer)) == list(range(5, 20))


def test_last_message_id(session: Session, topic: str) -> None:
    consumer = session.consumer(topic)
    assert place_of(consumer.get_last_message_id())[:2] == (-1, -1)
    single = send_numbers(session.producer(topic, batched=False), range(3))
    assert place_of(consumer.get_last_message_id()) == place_of(single[-1])
    batched = session.producer(topic, batched=True, batching_max_messages=5)
    ids = send_numbers(batched, range(3, 8))
    last = consumer.get_last_message_id()
    assert place_of(last) == place_of(ids[-1])
    assert last.batch_index() == 4


@pytest.mark.parametrize("kind", [ConsumerType.Shared, ConsumerType.Exclusive], ids=str)
def test_batch_index_acks_survive_a_new_consumer(
    session: Session, topic: str, kind: ConsumerType
) -> None:
    consumer = session.consumer(topic, kind, batch_index_ack_enabled=True)
    producer = session.producer(topic, batched=True, batching_max_messages=10)
    ids = send_numbers(producer, range(10))
    assert len({place_of(id_)[:2] for id_ in ids}) == 1, "not one batch"
    for number in range(10):
        message = consumer.receive(timeout_millis=10_000)
        if number in (0, 3, 4, 9):
            consumer.acknowledge(message)
    consumer.close()
    consumer = session.consumer(topic, kind, batch_index_ack_enabled=True)
    assert receive_rest(consumer) == [1, 2, 5, 6, 7, 8]


def test_partitioned_topic(session: Session, topic: str) -> None:
    session.put_partitions(topic, 3)
    names = [f"{topic}-partition-{index}" for index in range(3)]
    assert session.client.get_topic_partitions(topic) == names
    consumer = session.consumer(topic, ConsumerType.Shared)
    producer = session.producer(
        topic,
        batched=False,
        message_routing_mode=pulsar.PartitionsRoutingMode.RoundRobinDistribution,
    )
    ids = send_numbers(producer, range(90))
    assert {id_.partition() for id_ in ids} == {0, 1, 2}
    assert sorted(receive_numbers(consumer, 90)) == list(range(90))


def test_partition_keys_keep_their_order(session: Session, topic: str) -> None:
    session.put_partitions(topic, 4)
    consumer = session.consumer(topic)
    producer = session.producer(topic, batched=True)
    for number in range(200):
        producer.send_async(b"%d" % number, lambda *_: None, partition_key=f"key-{number % 10}")
    producer.flush()
    by_key: dict[str, list[int]] = {}
    for _ in range(200):
        message = consumer.receive(timeout_millis=10_000)
        by_key.setdefault(message.partition_key(), []).append(int(message.data()))
    assert len(by_key) == 10
    assert all(numbers == sorted(numbers) for numbers in by_key.values())


def test_unsubscribe_forgets_the_position(session: Session, topic: str) -> None:
    consumer = session.consumer(topic)
    send_numbers(session.producer(topic, batched=False), range(5))
    assert receive_numbers(consumer, 2) == [0, 1]
    consumer.unsubscribe()
    consumer = session.consumer(topic, initial_position=InitialPosition.Latest)
    assert receive_rest(consumer) == []


def test_shared_subscription_with_others_cannot_be_unsubscribed(
    session: Session, topic: str
) -> None:
    first = session.consumer(topic, ConsumerType.Shared)
    session.consumer(topic, ConsumerType.Shared)
    with pytest.raises(pulsar.PulsarException):
        first.unsubscribe()


def test_subscriptions_are_independent(session: Session, topic: str) -> None:
    consumers = [session.consumer(topic, name=f"sub-{index}") for index in range(10)]
    send_numbers(session.producer(topic, batched=True), range(100))
    for consumer in consumers:
        assert receive_numbers(consumer, 100) == list(range(100))


def receive_numbers_one_by_one(consumer: pulsar.Consumer, count: int) -> list[int]:
    """As `receive_numbers`, for a consumer without a queue, which cannot wait with a time limit."""
    numbers = []
    for _ in range(count):
        message = consumer.receive()
        numbers.append(number_of(message))
        consumer.acknowledge(message)
    return numbers


def test_receiver_queue_of_zero_gets_one_at_a_time(session: Session, topic: str) -> None:
    consumer = session.consumer(topic, ConsumerType.Shared, receiver_queue_size=0)
    other = session.consumer(topic, ConsumerType.Shared)
    send_numbers(session.producer(topic, batched=False), range(10))
    assert len(receive_rest(other)) == 10, "a consumer that did not ask got messages"
    other.close()
    send_numbers(session.producer(topic, batched=False), [10, 11])
    assert receive_numbers_one_by_one(consumer, 2) == [10, 11]


@pytest.mark.parametrize("size", [0, 1, 100_000, 5 * 1024 * 1024 - 2048])
def test_any_size_up_to_the_limit(session: Session, topic: str, size: int) -> None:
    consumer = session.consumer(topic)
    producer = session.producer(topic, batched=False)
    content = os.urandom(size)
    for _ in range(2):
        producer.send(content)
        message = consumer.receive(timeout_millis=10_000)
        assert message.data() == content
        consumer.acknowledge(message)


def test_message_above_the_limit_fails_alone(session: Session, topic: str) -> None:
    producer = session.producer(topic, batched=False)
    with pytest.raises(pulsar.MessageTooBig):
        producer.send(bytes(5 * 1024 * 1024 + 1))
    producer.send(b"still here")


def test_metadata_comes_back(session: Session, topic: str) -> None:
    consumer = session.consumer(topic)
    producer = session.producer(topic, batched=False, producer_name="named-producer")
    producer.send(
        b"content", properties={"a": "1", "b": "ü"}, partition_key="key", event_timestamp=1234
    )
    message = consumer.receive(timeout_millis=10_000)
    assert message.properties() == {"a": "1", "b": "ü"}
    assert message.partition_key() == "key"
    assert message.event_timestamp() == 1234
    assert message.producer_name() == "named-producer"
    assert message.topic_name() == topic


def test_producer_names_are_unique_and_guarded(session: Session, topic: str) -> None:
    names = {session.producer(topic, batched=False).producer_name() for _ in range(3)}
    assert len(names) == 3
    session.producer(topic, batched=False, producer_name="taken")
    with pytest.raises(pulsar.ProducerBusy):
        session.producer(topic, batched=False, producer_name="taken")


def test_http_lookup_finds_the_broker(broker: Server, topic: str) -> None:
    client = pulsar.Client(broker.web_url, logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error))
    consumer = client.subscribe(topic, "sub", initial_position=InitialPosition.Earliest)
    client.create_producer(topic).send(b"found")
    assert consumer.receive(timeout_millis=10_000).data() == b"found"
    client.close()
