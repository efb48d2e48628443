"""Commands of producers, one function each: parse, ask the topic, answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from magnetar_proto import pulsar_api_pb2 as api

from magnetar_broker import answers
from magnetar_broker.errors import (
    NotAllowedError,
    ProducerBusyError,
    ProtocolViolationError,
    ServiceNotReadyError,
)
from magnetar_broker.producer import Producer
from magnetar_broker.topic import NO_SEQUENCE_ID, Topic
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    from magnetar_broker.connection import Connection, Handler

_BUILT_ACCESS_MODES: Final = (api.ProducerAccessMode.Shared, api.ProducerAccessMode.Exclusive)


def handle_send(connection: Connection, send: api.CommandSend, payload: bytes) -> None:
    """The hot one: find the producer, publish.

    The connection has counted the message as pending; whoever does not store it counts it out.
    """
    producer = connection.producers.get(send.producer_id)
    if producer is None:
        _unknown_producer(connection, send.producer_id)
        connection.publishes_ended(1, len(payload))
        return
    sequence_id = send.sequence_id
    highest = send.highest_sequence_id
    # Unset reads as 0, and an explicit one is never lower than the sequence id.
    if highest <= sequence_id and not (highest == sequence_id and _has_highest(send)):
        highest = NO_SEQUENCE_ID
    producer.topic.publish(producer, sequence_id, highest, send.num_messages, payload)


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
        connection.send(answers.producer_success(request_id, existing.name))
        return
    if producer_id in connection.producing:
        busy = ServiceNotReadyError(
            f"Producer {producer_id} is already being created on this connection; retry"
        )
        connection.send_error(request_id, busy)
        return
    connection.producing[producer_id] = request
    connection.request(
        _produce(connection, request),
        lambda error: connection.send_error(request_id, error),
        "PRODUCER",
    )


async def _produce(connection: Connection, request: api.CommandProducer) -> None:
    producer_id = request.producer_id
    try:
        name = TopicName.parse(request.topic)
        topic = await connection.service.topic(name, create=True)
        producer = _producer_of(topic, connection, request)
        await _attach(producer)
        if connection.closed or connection.producing.get(producer_id) is not request:
            # The client went, or closed the producer, while the topic was loaded.
            topic.remove_producer(producer)
            return
        _let_go(connection.producers.get(producer_id))
        connection.producers[producer_id] = producer
    finally:
        if connection.producing.get(producer_id) is request:
            del connection.producing[producer_id]
    connection.send(answers.producer_success(request.request_id, producer.name))


def _let_go(former: Producer | None) -> None:
    """A client that used its id again, for another topic or under another name, meant this one."""
    if former is not None and not former.closed:
        former.topic.remove_producer(former)


def _producer_of(topic: Topic, connection: Connection, request: api.CommandProducer) -> Producer:
    if request.producer_access_mode not in _BUILT_ACCESS_MODES:
        mode = api.ProducerAccessMode.Name(request.producer_access_mode)
        raise NotAllowedError(
            f"Producer access mode {mode} is not supported; use Shared or Exclusive"
        )
    return Producer(
        topic,
        connection,
        request.producer_id,
        request.producer_name or connection.service.new_producer_name(),
        epoch=request.epoch,
        user_provided_name=request.user_provided_producer_name,
        access_mode=request.producer_access_mode,
    )


async def _attach(producer: Producer) -> None:
    """Attach, after a look whether the present owner of the name still lives."""
    existing = producer.topic.add_producer(producer)
    if existing is None:
        return
    if await existing.connection.check_alive():
        raise ProducerBusyError(
            f"Producer with name '{producer.name}' is already connected to topic "
            f"{producer.topic.name}"
        )
    producer.topic.remove_producer(existing)
    # Meanwhile another newcomer may have taken the name: that one lives.
    if producer.topic.add_producer(producer) is not None:
        raise ProducerBusyError(
            f"Producer with name '{producer.name}' was just connected to topic "
            f"{producer.topic.name}"
        )


def handle_close_producer(connection: Connection, request: api.CommandCloseProducer) -> None:
    """CLOSE_PRODUCER: always succeeds; the answer comes behind the last receipt."""
    producer_id, request_id = request.producer_id, request.request_id
    connection.producing.pop(producer_id, None)
    producer = connection.producers.pop(producer_id, None)
    if producer is None:
        connection.send(answers.success(request_id))
        return
    producer.topic.remove_producer(producer)
    producer.topic.in_order(lambda: connection.send(answers.success(request_id)), producer)


PRODUCE_HANDLERS: Final[Mapping[int, Handler]] = {
    api.BaseCommand.PRODUCER: handle_producer,
    api.BaseCommand.CLOSE_PRODUCER: handle_close_producer,
}
