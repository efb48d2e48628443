import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from magnetar import ConsumerBatchReceivePolicy, ConsumerType, InitialPosition, MessageId
from magnetar.sync import Client, Consumer

from bench.servers import Server


def numbers(consumer: Consumer, count: int) -> list[int]:
    return [int(consumer.receive(10_000).data()) for _ in range(count)]


def test_what_consumers_do(server: Server, topic: str) -> None:
    with Client(server.service_url) as client:
        consumer = client.subscribe(
            topic,
            "s",
            ConsumerType.Shared,
            initial_position=InitialPosition.Earliest,
            negative_ack_redelivery_delay_ms=50,
        )
        producer = client.create_producer(topic, batching_enabled=False)
        for number in range(10):
            producer.send(b"%d" % number)
        for _ in range(10):
            message = consumer.receive(10_000)
            if message.data() == b"3":
                consumer.negative_acknowledge(message)
            else:
                consumer.acknowledge(message)
        assert numbers(consumer, 1) == [3]
        consumer.redeliver_unacknowledged_messages()
        assert numbers(consumer, 1) == [3]
        consumer.seek(MessageId.earliest)
        assert numbers(consumer, 3) == [0, 1, 2]
        consumer.seek(MessageId.earliest)
        assert sorted(int(each.data()) for each in consumer.batch_receive()) == list(range(10))
        consumer.pause_message_listener()
        consumer.resume_message_listener()
        assert consumer.get_last_message_id().entry_id() >= 9
        assert (consumer.topic(), consumer.subscription_name()) == (topic, "s")
        assert consumer.is_connected()
        consumer.unsubscribe()


def test_acknowledged_up_to(server: Server, topic: str) -> None:
    with Client(server.service_url) as client:
        earliest = InitialPosition.Earliest
        consumer = client.subscribe(topic, "s", initial_position=earliest)
        producer = client.create_producer(topic, batching_enabled=False)
        for number in range(10):
            producer.send(b"%d" % number)
        messages = [consumer.receive(10_000) for _ in range(10)]
        consumer.acknowledge_cumulative(messages[5])
        consumer.close()
        found = []
        again = client.subscribe(topic, "s", receiver_queue_size=0)
        for message in again:
            found.append(int(message.data()))
            if len(found) == 4:
                again.close()
        assert found == [6, 7, 8, 9]


def test_threads_that_share_a_consumer_work_beside_each_other(server: Server, topic: str) -> None:
    with Client(server.service_url) as client:
        earliest = InitialPosition.Earliest
        consumer = client.subscribe(topic, "s", ConsumerType.Shared, initial_position=earliest)
        together = threading.Barrier(4)

        def work() -> bytes:
            message = consumer.receive(10_000)
            together.wait(5)  # each has one, and gives none of them back
            consumer.acknowledge(message)
            return message.data() + consumer.receive(10_000).data()

        with ThreadPoolExecutor(4) as threads:
            working = [threads.submit(work) for _ in range(4)]
            until_all_wait(consumer, 4)
            producer = client.create_producer(topic)
            for number in range(8):
                producer.send_async(b"%d" % number, lambda error, message_id: None)
            producer.flush()
            found = b"".join(each.result() for each in working)
        assert sorted(found) == sorted(b"01234567")


def test_a_batch_gets_what_one_that_receives_leaves(server: Server, topic: str) -> None:
    with Client(server.service_url) as client:
        consumer = client.subscribe(
            topic,
            "s",
            ConsumerType.Shared,
            initial_position=InitialPosition.Earliest,
            batch_receive_policy=ConsumerBatchReceivePolicy(4, -1, 5_000),
        )
        producer = client.create_producer(topic)
        with ThreadPoolExecutor(2) as threads:
            one = threads.submit(consumer.receive, 10_000)
            until_all_wait(consumer, 1)
            batch = threads.submit(consumer.batch_receive)
            until_all_wait(consumer, 2)
            for number in range(5):
                producer.send_async(b"%d" % number, lambda error, message_id: None)
            producer.flush()
            assert one.result().data() == b"0"
            assert [each.data() for each in batch.result()] == [b"1", b"2", b"3", b"4"]


def test_threads_that_come_and_go_leave_nothing_behind(server: Server, topic: str) -> None:
    count = 2_000
    with Client(server.service_url) as client:
        earliest = InitialPosition.Earliest
        consumer = client.subscribe(topic, "s", ConsumerType.Shared, initial_position=earliest)
        producer = client.create_producer(topic, block_if_queue_full=True)
        tickets = deque(range(count))

        def work() -> list[int]:
            found = []
            with suppress(IndexError):
                while tickets.pop() is not None:
                    found.append(int(consumer.receive(10_000).data()))
            return found

        with ThreadPoolExecutor(5) as threads:
            working = [threads.submit(work) for _ in range(5)]
            for number in range(count):
                producer.send_async(b"%d" % number, lambda error, message_id: None)
            found = [number for each in working for number in each.result()]
        assert sorted(found) == list(range(count))


def until_all_wait(consumer: Consumer, count: int) -> None:
    """Wait until so many calls are in the loop."""
    until_s = time.monotonic() + 10
    while len(consumer._consumer.inbox._waiting) < count:
        assert time.monotonic() < until_s
        time.sleep(0.01)


class Contended(deque[Any]):
    """Fetched messages of which another thread takes all but the first, right behind it."""

    def popleft(self) -> Any:
        first = super().popleft()
        self.clear()
        return first


def test_a_batch_while_another_thread_takes_the_rest() -> None:
    nothing: Any = None
    consumer = Consumer(nothing, nothing)
    consumer._fetched = Contended(["first", "second"])
    assert list(consumer.batch_receive()) == ["first"]
