"""Commands of producers, one function each: parse, ask the topic, answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from magnetar_proto import pulsar_api_pb2 as api

from magnetar_broker import answers
from magnetar_broker.errors import (
    TRANSACTIONS_OFF,
    NotAllowedError,
    ProtocolViolationError,
    ServiceNotReadyError,
)
from magnetar_broker.producing import Producing
from magnetar_broker.publish_rows import NO_SEQUENCE_ID

if TYPE_CHECKING:
    from magnetar_broker.connection import Connection, Handler
    from magnetar_broker.producer import Producer


def handle_send(connection: Connection, send: api.CommandSend, payload: bytes) -> None:
    """The hot one: find the producer, publish.

    The connection has counted the message as pending; whoever does not store it counts it out.
    """
    producer = connection.producers.get(send.producer_id)
    if producer is None:
        _unknown_producer(connection, send.producer_id)
        connection.publishes_ended(1, len(payload))
        return
    if send.HasField("txnid_most_bits") and send.HasField("txnid_least_bits"):
        _refuse_of_transaction(producer, send, len(payload))
        return
    sequence_id = send.sequence_id
    highest = send.highest_sequence_id
    # Unset reads as 0, and an explicit one is never lower than the sequence id.
    if highest <= sequence_id and not (highest == sequence_id and _has_highest(send)):
        highest = NO_SEQUENCE_ID
    producer.topic.publish(producer, sequence_id, highest, send.num_messages, payload)


def _refuse_of_transaction(producer: Producer, send: api.CommandSend, size_bytes: int) -> None:
    """Stored without its transaction it would be there though the transaction was aborted."""
    producer.connection.publishes_ended(1, size_bytes)
    error = NotAllowedError(TRANSACTIONS_OFF)
    reported = max(send.sequence_id, send.highest_sequence_id)
    producer.topic.in_order(lambda: producer.send_error(reported, error), producer)


def _has_highest(send: api.CommandSend) -> bool:
    return send.HasField("highest_sequence_id")


def _unknown_producer(connection: Connection, producer_id: int) -> None:
    # A producer that the broker closed goes on sending until it hears of it; it resends later.
    if not connection.was_dropped(producer_id):
        raise ProtocolViolationError(f"SEND of an unknown producer {producer_id}")


def handle_producer(connection: Connection, request: api.CommandProducer) -> None:
    """PRODUCER: attach a producer to a topic, which may have to be loaded or made first."""
    request_id, producer_id = request.request_id, request.producer_id
    existing = connection.producers.get(producer_id)
    if existing is not None and request.epoch <= existing.epoch:
        topic = existing.topic
        success = answers.producer_success(
            request_id,
            existing.name,
            last_sequence_id=topic.last_sequence_id(existing.name),
            topic_epoch=topic.attached.epoch,
        )
        connection.send(success)
        return
    if producer_id in connection.producing:
        busy = ServiceNotReadyError(
            f"Producer {producer_id} is already being created on this connection; retry"
        )
        connection.send_error(request_id, busy)
        return
    Producing(connection, request).start()


def handle_close_producer(connection: Connection, request: api.CommandCloseProducer) -> None:
    """CLOSE_PRODUCER: always succeeds; the answer comes behind the last receipt."""
    producer_id, request_id = request.producer_id, request.request_id
    producing = connection.producing.get(producer_id)
    if producing is not None:
        producing.cancel()
    producer = connection.producers.pop(producer_id, None)
    if producer is None:
        connection.send(answers.success(request_id))
        return
    producer.topic.remove_producer(producer)
    producer.topic.in_order(lambda: connection.send(answers.success(request_id)), producer)


def detach_producers(connection: Connection) -> None:
    """The connection is gone."""
    for producing in list(connection.producing.values()):
        producing.cancel()
    for producer in list(connection.producers.values()):
        producer.topic.remove_producer(producer)
    connection.producers.clear()


PRODUCE_HANDLERS: Final[Mapping[int, Handler]] = {
    api.BaseCommand.PRODUCER: handle_producer,
    api.BaseCommand.CLOSE_PRODUCER: handle_close_producer,
}
