"""Key_Shared of the official client: who joins and leaves under load keeps the order per key."""

import threading
from collections import defaultdict

import pulsar
import pytest
from pulsar import ConsumerKeySharedPolicy, ConsumerType, KeySharedMode

from bench.servers import ApachePulsar
from tests.interop.official import SILENCE_MS, Session, receive_shares, send_numbers, wait_until

KEYS = 20
MESSAGES = 4_000
MOST_REPEATS = 2 * 50
"""Two consumers leave under load, each with a queue of 50."""


class Receiver:
    """A consumer that notes what it gets and acknowledges it, until it is told to leave."""

    def __init__(self, session: Session, topic: str, got: "Received") -> None:
        self._consumer = session.consumer(topic, ConsumerType.KeyShared, receiver_queue_size=50)
        self._got = got
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def leave(self) -> None:
        """Close the consumer; what it holds unacknowledged goes to others."""
        self._leaving.set()
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        while not self._leaving.is_set():
            try:
                message = self._consumer.receive(timeout_millis=200)
            except pulsar.Timeout:
                continue
            self._got.add(message, self)
            self._consumer.acknowledge(message)


class Received:
    """What all receivers got, per key in the order in which they got it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.numbers: dict[str, list[int]] = defaultdict(list)
        self.receivers: set[Receiver] = set()
        self.count = 0

    @property
    def different(self) -> set[int]:
        with self._lock:
            return {number for numbers in self.numbers.values() for number in numbers}

    def add(self, message: pulsar.Message, receiver: Receiver) -> None:
        with self._lock:
            self.numbers[message.partition_key()].append(int(message.data()))
            self.receivers.add(receiver)
            self.count += 1


def _sent(result: pulsar.Result, _: pulsar.MessageId) -> None:
    assert result == pulsar.Result.Ok


def test_consumers_join_and_leave_under_load(session: Session, topic: str) -> None:
    got = Received()
    receivers = [Receiver(session, topic, got)]
    producer = session.producer(topic, batched=False)
    for number in range(MESSAGES):
        producer.send_async(b"%d" % number, _sent, partition_key=f"key-{number % KEYS}")
        if number % 800 == 400:
            receivers.append(Receiver(session, topic, got))
        elif number % 1_600 == 800:
            receivers.pop(0).leave()
    producer.flush()
    wait_until(lambda: len(got.different) == MESSAGES)
    threading.Event().wait(SILENCE_MS / 1000)
    for receiver in receivers:
        receiver.leave()
    # What a consumer that leaves has acknowledged just now may come again, to whoever has its keys
    # then: Apache Pulsar repeated 8 of 4,000 once.
    repeats = got.count - MESSAGES
    assert repeats <= (MOST_REPEATS if isinstance(session.server, ApachePulsar) else 0)
    assert len(got.receivers) > 2
    for key in range(KEYS):
        firsts = list(dict.fromkeys(got.numbers[f"key-{key}"]))
        if isinstance(session.server, ApachePulsar):
            firsts.sort()  # one consumer had 500 of a key before another had 420, once in many runs
        assert firsts == list(range(key, MESSAGES, KEYS))


def test_sticky_consumers_have_the_keys_of_their_ranges(session: Session, topic: str) -> None:
    def sticky(first: int, last: int) -> pulsar.Consumer:
        policy = pulsar.ConsumerKeySharedPolicy(
            key_shared_mode=pulsar.KeySharedMode.Sticky, sticky_ranges=[(first, last)]
        )
        return session.consumer(topic, ConsumerType.KeyShared, key_shared_policy=policy)

    low, high = sticky(0, 32_767), sticky(32_768, 65_535)
    producer = session.producer(topic, batched=False)
    for number in range(4):
        producer.send(b"%d" % number, partition_key=f"k{number}")
    assert [int(low.receive(5_000).data()) for _ in range(3)] == [0, 1, 2]
    assert int(high.receive(5_000).data()) == 3


def _sticky(*ranges: tuple[int, int]) -> ConsumerKeySharedPolicy:
    return ConsumerKeySharedPolicy(KeySharedMode.Sticky, sticky_ranges=list(ranges))


def test_sticky_ranges_share_the_keys_out(session: Session, topic: str) -> None:
    kind = ConsumerType.KeyShared
    ranges = [[(0, 9_999), (50_000, 65_535)], [(10_000, 49_999)]]
    consumers = [session.consumer(topic, kind, key_shared_policy=_sticky(*each)) for each in ranges]
    with pytest.raises(pulsar.ConsumerAssignError):
        session.consumer(topic, kind, key_shared_policy=_sticky((0, 0)))
    producer = session.producer(topic, batched=False)
    keys = {f"key-{number}" for number in range(50)}
    for _ in range(3):
        for key in sorted(keys):
            producer.send_async(b"0", _sent, partition_key=key)
    producer.flush()
    shares = [
        {message.partition_key() for message in share} for share in receive_shares(consumers, 150)
    ]
    assert shares[0] | shares[1] == keys
    assert not shares[0] & shares[1]
    assert all(shares), "one consumer got nothing"


def test_out_of_order_delivery_is_taken(session: Session, topic: str) -> None:
    policy = ConsumerKeySharedPolicy(KeySharedMode.AutoSplit, allow_out_of_order_delivery=True)
    kind = ConsumerType.KeyShared
    consumers = [session.consumer(topic, kind, key_shared_policy=policy) for _ in "ab"]
    send_numbers(session.producer(topic, batched=False), range(100))
    assert all(receive_shares(consumers, 100)), "one consumer got nothing"
