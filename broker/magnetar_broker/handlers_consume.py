"""Commands of consumers, one function each: parse, ask the subscription, answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from magnetar_proto import pulsar_api_pb2 as api

from magnetar_broker import answers, consume_answers
from magnetar_broker.consume_answers import position_of
from magnetar_broker.consumer import Consumer
from magnetar_broker.errors import (
    TRANSACTIONS_OFF,
    AckSetTooLongError,
    BrokerError,
    MetadataFailedError,
    NotAllowedError,
    ProtocolViolationError,
)
from magnetar_broker.handlers_subscribe import handle_subscribe
from magnetar_broker.last_message import last_message_id
from magnetar_broker.seek import seek, seek_time
from magnetar_broker.subscription import Subscription, check_ack_set

if TYPE_CHECKING:
    from magnetar_broker.connection import Connection


def detach_consumers(connection: Connection) -> None:
    """The connection is lost: its consumers leave their subscriptions."""
    consumers = list(connection.consumers.values())
    connection.consumers.clear()
    connection.subscribing.clear()
    with ExitStack() as steps:  # each leaves, whatever happens to the others
        for consumer in reversed(consumers):
            if consumer.subscription is not None:
                steps.callback(consumer.subscription.detach, consumer)


def consumers_writable(connection: Connection) -> None:
    """The connection takes data again: its consumers' dispatchers go on."""
    for consumer in list(connection.consumers.values()):
        if consumer.subscription is not None:
            consumer.subscription.entries_available()


def _attached(connection: Connection, consumer_id: int) -> tuple[Consumer, Subscription] | None:
    consumer = connection.consumers.get(consumer_id)
    if consumer is None or consumer.subscription is None:
        return None
    return consumer, consumer.subscription


def _no_consumer(consumer_id: int) -> BrokerError:
    return MetadataFailedError(f"Consumer {consumer_id} not found on this connection")


def handle_flow(connection: Connection, flow: api.CommandFlow) -> None:
    """FLOW: the client has room; for a consumer that was closed meanwhile it means nothing."""
    if flow.messagePermits == 0:
        raise ProtocolViolationError("FLOW with no permits")
    if found := _attached(connection, flow.consumer_id):
        consumer, subscription = found
        subscription.flow(consumer, flow.messagePermits)


def handle_ack(connection: Connection, ack: api.CommandAck) -> None:
    """ACK: answered only if a request id is given, and refused only within a transaction or for an
    ack set of no batch: what it names may be acked already or belong to a consumer of before a
    reconnect."""
    found = _attached(connection, ack.consumer_id)
    if found is None:
        return
    consumer, subscription = found
    if ack.HasField("txnid_most_bits") and ack.HasField("txnid_least_bits"):
        # Taken without its transaction it would hold though the transaction was aborted.
        _refuse_ack(connection, ack, NotAllowedError(TRANSACTIONS_OFF))
        return
    try:
        _take_acks(consumer, subscription, ack)
    except AckSetTooLongError as error:
        if not ack.HasField("request_id"):
            raise ProtocolViolationError(str(error)) from error
        _refuse_ack(connection, ack, error)
        return
    if ack.HasField("request_id"):
        connection.send(consume_answers.ack_response(ack.consumer_id, ack.request_id))


def _take_acks(consumer: Consumer, subscription: Subscription, ack: api.CommandAck) -> None:
    """Those before one that is refused are taken."""
    try:
        if ack.ack_type == api.CommandAck.Individual:
            for message_id in ack.message_id:
                subscription.ack_individual(
                    consumer, position_of(message_id), message_id.ack_set, message_id.batch_size
                )
        elif len(ack.message_id) == 1:
            message_id = ack.message_id[0]
            subscription.ack_cumulative(position_of(message_id), message_id.ack_set)
    finally:
        subscription.acks_done()


def _refuse_ack(connection: Connection, ack: api.CommandAck, error: BrokerError) -> None:
    if ack.HasField("request_id"):
        connection.send(consume_answers.ack_refused(ack.consumer_id, ack.request_id, error))


def handle_redeliver(
    connection: Connection, redeliver: api.CommandRedeliverUnacknowledgedMessages
) -> None:
    """REDELIVER_UNACKNOWLEDGED_MESSAGES: without ids all that the consumer holds. No answer."""
    if found := _attached(connection, redeliver.consumer_id):
        consumer, subscription = found
        positions = [position_of(message_id) for message_id in redeliver.message_ids] or None
        epoch = redeliver.consumer_epoch if redeliver.HasField("consumer_epoch") else None
        subscription.redeliver(consumer, positions, epoch)


def handle_close_consumer(connection: Connection, close: api.CommandCloseConsumer) -> None:
    """CLOSE_CONSUMER: always a success, also for an id that is unknown or still subscribing."""
    connection.subscribing.pop(close.consumer_id, None)
    consumer = connection.consumers.pop(close.consumer_id, None)
    if consumer is not None and consumer.subscription is not None:
        consumer.subscription.detach(consumer)
    connection.send(answers.success(close.request_id))


def handle_unsubscribe(connection: Connection, unsubscribe: api.CommandUnsubscribe) -> None:
    """UNSUBSCRIBE: the subscription and its cursor end."""
    request_id = unsubscribe.request_id
    found = _attached(connection, unsubscribe.consumer_id)
    if found is None:
        connection.send_error(request_id, _no_consumer(unsubscribe.consumer_id))
        return
    consumer, subscription = found

    async def work() -> None:
        await subscription.unsubscribe(consumer, force=unsubscribe.force)
        connection.send(answers.success(request_id))

    connection.request(
        work(), lambda error: connection.send_error(request_id, error), "unsubscribe"
    )


def handle_seek(connection: Connection, request: api.CommandSeek) -> None:
    """SEEK: CLOSE_CONSUMER goes out first, then the answer; the client subscribes again."""
    request_id = request.request_id
    found = _attached(connection, request.consumer_id)
    if found is None:
        connection.send_error(request_id, _no_consumer(request.consumer_id))
        return
    _, subscription = found

    async def work() -> None:
        if request.HasField("message_id"):
            place = request.message_id
            check_ack_set(place.ack_set)
            await seek(subscription, position_of(place), place.ack_set)
        elif request.HasField("message_publish_time"):
            await seek_time(subscription, request.message_publish_time)
        else:
            raise MetadataFailedError("SEEK names neither a message id nor a publish time")
        connection.send(answers.success(request_id))

    connection.request(work(), lambda error: connection.send_error(request_id, error), "seek")


def handle_get_last_message_id(
    connection: Connection, request: api.CommandGetLastMessageId
) -> None:
    """GET_LAST_MESSAGE_ID: the topic's last message and the subscription's mark-delete position."""
    request_id, consumer_id = request.request_id, request.consumer_id
    found = _attached(connection, consumer_id)
    if found is None:
        connection.send_error(request_id, _no_consumer(consumer_id))
        return
    _, subscription = found

    async def work() -> None:
        last = await last_message_id(subscription.topic)
        mark_delete = subscription.cursor.mark_delete
        connection.send(consume_answers.last_message_id(request_id, last, mark_delete))

    connection.request(
        work(), lambda error: connection.send_error(request_id, error), "get last message id"
    )


def handle_consumer_stats(connection: Connection, request: api.CommandConsumerStats) -> None:
    """CONSUMER_STATS: a refusal stands in the body of the answer."""
    if found := _attached(connection, request.consumer_id):
        rates = connection.service.sampler.meter_of(found[0]).rates
        data = consume_answers.consumer_stats(request.request_id, *found, rates)
    else:
        text = f"Consumer {request.consumer_id} not found on this connection"
        data = consume_answers.no_consumer_stats(request.request_id, text)
    connection.send(data)


CONSUME_HANDLERS: Final[dict[int, Callable[[Connection, Any], None]]] = {
    api.BaseCommand.SUBSCRIBE: handle_subscribe,
    api.BaseCommand.FLOW: handle_flow,
    api.BaseCommand.ACK: handle_ack,
    api.BaseCommand.REDELIVER_UNACKNOWLEDGED_MESSAGES: handle_redeliver,
    api.BaseCommand.CLOSE_CONSUMER: handle_close_consumer,
    api.BaseCommand.UNSUBSCRIBE: handle_unsubscribe,
    api.BaseCommand.SEEK: handle_seek,
    api.BaseCommand.GET_LAST_MESSAGE_ID: handle_get_last_message_id,
    api.BaseCommand.CONSUMER_STATS: handle_consumer_stats,
}
"""By type of command: called with the connection and the command's message, as frames give it."""
