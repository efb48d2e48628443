from collections import deque
from typing import Any

from magnetar import ConsumerType, InitialPosition, MessageId
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
