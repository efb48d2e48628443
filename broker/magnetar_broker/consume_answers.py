"""The seldom answers to consumers as bytes, one function per command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from magnetar_ledger.position import Position
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import encode_command
from magnetar_proto.varints import signed

from magnetar_broker.answers import NO_REQUEST
from magnetar_broker.errors import BrokerError

if TYPE_CHECKING:
    from magnetar_broker.consumer import Consumer
    from magnetar_broker.subscription import Subscription

_UNSIGNED: Final = 2**64 - 1


def position_of(message_id: api.MessageIdData) -> Position:
    """The ids are unsigned on the wire, where -1 is written as 2^64-1."""
    return Position(signed(message_id.ledgerId), signed(message_id.entryId))


def message_id_of(
    position: Position, *, partition: int = -1, batch_index: int = -1
) -> api.MessageIdData:
    """The reverse of `position_of`."""
    return api.MessageIdData(
        ledgerId=position.ledger_id & _UNSIGNED,
        entryId=position.entry_id & _UNSIGNED,
        partition=partition,
        batch_index=batch_index,
    )


def close_consumer(consumer_id: int) -> bytes:
    """The broker sends a consumer away by itself."""
    return encode_command(api.CommandCloseConsumer(consumer_id=consumer_id, request_id=NO_REQUEST))


def active_change(consumer_id: int, *, active: bool) -> bytes:
    """Whether a Failover consumer is the one that gets messages."""
    return encode_command(
        api.CommandActiveConsumerChange(consumer_id=consumer_id, is_active=active)
    )


def end_of_topic(consumer_id: int) -> bytes:
    """No message will ever follow."""
    return encode_command(api.CommandReachedEndOfTopic(consumer_id=consumer_id))


def ack_response(consumer_id: int, request_id: int) -> bytes:
    """The acks of a command were taken, or meant nothing."""
    body = api.CommandAckResponse(consumer_id=consumer_id, request_id=request_id)
    return encode_command(body)


def ack_refused(consumer_id: int, request_id: int, refusal: BrokerError) -> bytes:
    """Not all of the acks of a command were taken."""
    body = api.CommandAckResponse(
        consumer_id=consumer_id,
        request_id=request_id,
        error=api.ServerError.Name(refusal.code),
        message=str(refusal),
    )
    return encode_command(body)


def last_message_id(request_id: int, last: api.MessageIdData, mark_delete: Position) -> bytes:
    """The last entry of a topic, and how far the asking subscription is."""
    body = api.CommandGetLastMessageIdResponse(
        last_message_id=last,
        request_id=request_id,
        consumer_mark_delete_position=message_id_of(mark_delete),
    )
    return encode_command(body)


def consumer_stats(
    request_id: int, consumer: Consumer, subscription: Subscription, rates: Sequence[float]
) -> bytes:
    """How one consumer is doing.

    Args:
        rates: those of the consumer's counters.
    """
    rate_out, throughput_out, rate_redelivered, ack_rate = rates
    body = api.CommandConsumerStatsResponse(
        request_id=request_id,
        msgRateOut=rate_out,
        msgThroughputOut=throughput_out,
        msgRateRedeliver=rate_redelivered,
        msgRateExpired=0,
        messageAckRate=ack_rate,
        consumerName=consumer.name,
        availablePermits=consumer.permits % 2**64,  # below 0 as Pulsar writes it
        unackedMessages=consumer.unacked,
        blockedConsumerOnUnackedMsgs=consumer.blocked,
        address=f"/{consumer.link.remote_address}",
        connectedSince=consumer.connected_since,
        type=subscription.type.label,
        msgBacklog=subscription.cursor.backlog_entries,
    )
    return encode_command(body)


def no_consumer_stats(request_id: int, text: str) -> bytes:
    """The refusal stands in the body of this answer, not in an ERROR."""
    body = api.CommandConsumerStatsResponse(
        request_id=request_id, error_code=api.ServerError.ConsumerNotFound, error_message=text
    )
    return encode_command(body)
