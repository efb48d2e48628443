"""The query of a WebSocket."""

import pytest
from magnetar_broker.http.websocket import parameters
from magnetar_broker.http.websocket.parameters import ParameterError
from magnetar_proto import pulsar_api_pb2 as api


def test_defaults_are_pulsars() -> None:
    producer = parameters.producer_options({})
    assert (producer.batch_messages, producer.send_timeout_ms) == (1, 30_000)
    receive = parameters.receive_options({}, "t", "s")
    assert (receive.window, receive.ack_timeout_ms, receive.nack_delay_ms) == (1000, 0, 60_000)
    assert receive.dead_letter_topic == ""
    consumer = parameters.consumer_options({}, "s")
    assert (consumer.type, consumer.durable, consumer.earliest) == (0, True, False)


def test_everything_given() -> None:
    producer = parameters.producer_options(
        {
            "producerName": "p",
            "initialSequenceId": "-1",
            "sendTimeoutMillis": "5",
            "batchingEnabled": "true",
            "batchingMaxMessages": "7",
            "batchingMaxPublishDelay": "3",
            "compressionType": "ZSTD",
        }
    )
    assert (producer.name, producer.initial_sequence_id, producer.send_timeout_ms) == ("p", -1, 5)
    assert (producer.batch_messages, producer.batch_delay_ms) == (7, 3)
    assert producer.compression == api.CompressionType.ZSTD
    query = {
        "subscriptionType": "Key_Shared",
        "subscriptionMode": "NonDurable",
        "subscriptionInitialPosition": "Earliest",
        "consumerName": "c",
        "priorityLevel": "2",
        "receiverQueueSize": "5000",
        "ackTimeoutMillis": "1000",
        "negativeAckRedeliveryDelay": "1",
        "maxRedeliverCount": "3",
    }
    consumer = parameters.consumer_options(query, "s")
    assert (consumer.type, consumer.durable, consumer.earliest) == (3, False, True)
    assert (consumer.name, consumer.priority_level, consumer.ordered) == ("c", 2, False)
    receive = parameters.receive_options(query, "t", "s")
    assert (receive.window, receive.dead_letter_topic) == (1000, "t-s-DLQ")
    assert parameters.queue_size({"receiverQueueSize": "0"}) == 1
    named = parameters.receive_options({"deadLetterTopic": "d"}, "t", "s")
    assert named.dead_letter_topic == "d"


@pytest.mark.parametrize(
    "query",
    [
        {"sendTimeoutMillis": "soon"},
        {"sendTimeoutMillis": "-1"},
        {"initialSequenceId": "1e3"},
        {"compressionType": "gzip"},
    ],
)
def test_producers_that_cannot_be(query: dict[str, str]) -> None:
    with pytest.raises(ParameterError, match=next(iter(query))):
        parameters.producer_options(query)


@pytest.mark.parametrize(
    "query",
    [
        {"subscriptionType": "exclusive"},
        {"receiverQueueSize": "many"},
        {"ackTimeoutMillis": "1"},
        {"cryptoFailureAction": "panic"},
    ],
)
def test_consumers_that_cannot_be(query: dict[str, str]) -> None:
    with pytest.raises(ParameterError, match=next(iter(query))):
        parameters.consumer_options(query, "s")
        parameters.receive_options(query, "t", "s")


def test_partitions_are_chosen_as_asked() -> None:
    assert parameters.routing({}) == ("RoundRobinPartition", "JavaStringHash")
    for query in ({"hashingScheme": "none"}, {"messageRoutingMode": "none"}):
        with pytest.raises(ParameterError):
            parameters.routing(query)


def test_readers_begin_where_they_say() -> None:
    assert parameters.reader_options({"messageId": "earliest"}, "s").earliest
    assert not parameters.reader_options({}, "s").earliest
    start = parameters.reader_options({"messageId": "CAUQAA=="}, "s").start
    assert start is not None
    assert start.ledgerId == 5
    with pytest.raises(ParameterError, match="messageId"):
        parameters.reader_options({"messageId": "x"}, "s")
