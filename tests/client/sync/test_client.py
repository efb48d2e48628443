"""The blocking twin on real brokers."""

import queue
import threading

import pytest
from magnetar import InitialPosition, MessageId, Timeout
from magnetar.errors import AlreadyClosed, ConnectError, InvalidUrl
from magnetar.sync import Client, Consumer

from bench.ports import free_port
from bench.servers import Server


def test_the_whole_way(server: Server, topic: str) -> None:
    with Client(server.service_url) as client:
        assert client.get_topic_partitions(topic) == [topic]
        with client.subscribe(topic, "s") as consumer, client.create_producer(topic) as producer:
            sent = producer.send(b"x", properties={"a": "b"})
            message = consumer.receive(10_000)
            assert (message.data(), message.message_id()) == (b"x", sent)
            consumer.acknowledge(message)
        with client.create_reader(topic, MessageId.earliest) as reader:
            assert reader.has_message_available()
            assert reader.read_next(10_000).data() == b"x"
            assert not reader.has_message_available()
            reader.seek(MessageId.earliest)
            assert reader.read_next(10_000).message_id() == reader.get_last_message_id()
    with pytest.raises(AlreadyClosed):
        client.create_producer(topic)
    assert "magnetar" not in {each.name for each in threading.enumerate()}


def test_what_fails_leaves_no_thread() -> None:
    with pytest.raises(InvalidUrl):
        Client("nothing")
    url = f"pulsar://127.0.0.1:{free_port()}"
    client = Client(url, operation_timeout_seconds=0.2)
    with pytest.raises(ConnectError):
        client.create_producer("x")
    client.shutdown()
    assert "magnetar" not in {each.name for each in threading.enumerate()}


def test_a_listener(server: Server, topic: str) -> None:
    found: queue.Queue[bytes] = queue.Queue()

    def listen(consumer: Consumer, message: object) -> None:
        found.put(message.data())  # type: ignore[attr-defined]
        consumer.acknowledge(message)  # type: ignore[arg-type]
        raise RuntimeError("the next one comes all the same")

    with Client(server.service_url) as client:
        client.subscribe(
            topic, "s", message_listener=listen, initial_position=InitialPosition.Earliest
        )
        producer = client.create_producer(topic)
        for number in range(3):
            producer.send(b"%d" % number)
        assert [found.get(timeout=10) for _ in range(3)] == [b"0", b"1", b"2"]


def test_many_threads(server: Server, topic: str) -> None:
    with Client(server.service_url) as client:
        consumer = client.subscribe(topic, "s")
        producer = client.create_producer(topic)

        def send(first: int) -> None:
            for number in range(first, first + 50):
                producer.send(b"%d" % number)

        threads = [threading.Thread(target=send, args=(50 * each,)) for each in range(8)]
        for thread in threads:
            thread.start()
        found = [int(consumer.receive(10_000).data()) for _ in range(400)]
        for thread in threads:
            thread.join()
        assert sorted(found) == list(range(400))
        for each in range(8):
            own = [number for number in found if number // 50 == each]
            assert own == sorted(own)
        with pytest.raises(Timeout):
            consumer.receive(50)
