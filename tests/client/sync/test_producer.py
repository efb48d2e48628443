import pytest
from magnetar import MessageId, PulsarException
from magnetar.errors import ProducerQueueIsFull
from magnetar.sync import Client

from bench.servers import Server

Result = tuple[PulsarException | None, MessageId | None]


def test_many_without_waiting(server: Server, topic: str) -> None:
    results: list[Result] = []

    def settled(error: PulsarException | None, message_id: MessageId | None) -> None:
        results.append((error, message_id))

    with Client(server.service_url) as client:
        producer = client.create_producer(topic, max_pending_messages=50, block_if_queue_full=True)
        for _ in range(1000):
            producer.send_async(b"x", settled)
        producer.flush()
        producer.close()
        ids = [message_id for _, message_id in results if message_id is not None]
        assert len(ids) == 1000
        assert ids == sorted(ids)
        assert producer.last_sequence_id() == 999


def test_what_is_not_sent_is_told_to_the_callback(server: Server, topic: str) -> None:
    results: list[Result] = []
    with Client(server.service_url) as client:
        producer = client.create_producer(topic, max_pending_messages=1)
        for _ in range(20):
            producer.send_async(b"x", lambda *result: results.append(result))
        producer.send_async("text", lambda *result: results.append(result))
        producer.flush()
    assert any(isinstance(error, ProducerQueueIsFull) for error, _ in results)
    assert isinstance(results[-1][0], PulsarException) or "not bytes" in str(results)
    assert len(results) == 21


def test_what_it_is(server: Server, topic: str) -> None:
    with Client(server.service_url) as client:
        producer = client.create_producer(topic, "named")
        assert (producer.topic(), producer.producer_name()) == (topic, "named")
        assert producer.is_connected()
        with pytest.raises(TypeError):
            producer.send("text")
