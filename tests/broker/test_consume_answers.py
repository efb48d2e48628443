from typing import Any

import pytest
from magnetar_broker import consume_answers
from magnetar_broker.subscription_type import SubscriptionType
from magnetar_ledger.position import EARLIEST, LATEST, Position
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import FrameSplitter

from tests.broker.consuming import consumer


def parsed(data: bytes) -> Any:
    [(_, message, payload)] = FrameSplitter(1 << 20).feed(data)
    assert payload is None
    return message


@pytest.mark.parametrize("position", [EARLIEST, LATEST, Position(7, -1), Position(2**40, 0)])
def test_positions_survive_the_wire(position: Position) -> None:
    message_id = consume_answers.message_id_of(position)
    again = api.MessageIdData.FromString(message_id.SerializeToString())
    assert consume_answers.position_of(again) == position


def test_trap_1_minus_one_is_written_as_the_largest_unsigned() -> None:
    message_id = consume_answers.message_id_of(EARLIEST)
    assert (message_id.ledgerId, message_id.entryId) == (2**64 - 1, 2**64 - 1)
    assert (message_id.partition, message_id.batch_index) == (-1, -1)


def test_trap_1_what_the_broker_does_by_itself_has_request_id_minus_one() -> None:
    close = parsed(consume_answers.close_consumer(5))
    assert (close.consumer_id, close.request_id) == (5, 2**64 - 1)


def test_news() -> None:
    change = parsed(consume_answers.active_change(5, active=True))
    assert isinstance(change, api.CommandActiveConsumerChange)
    assert (change.consumer_id, change.is_active) == (5, True)
    end = parsed(consume_answers.end_of_topic(6))
    assert isinstance(end, api.CommandReachedEndOfTopic)
    assert end.consumer_id == 6


def test_an_ack_response_without_error() -> None:
    response = parsed(consume_answers.ack_response(5, 9))
    assert isinstance(response, api.CommandAckResponse)
    assert (response.consumer_id, response.request_id) == (5, 9)
    assert not response.HasField("error")


def test_the_last_message_id_with_the_mark_delete_position() -> None:
    last = consume_answers.message_id_of(Position(3, 4), partition=2, batch_index=8)
    response = parsed(consume_answers.last_message_id(9, last, Position(3, -1)))
    assert response.request_id == 9
    assert response.last_message_id == last
    assert consume_answers.position_of(response.consumer_mark_delete_position) == (3, -1)


def test_a_refusal_of_stats_stands_in_their_body() -> None:
    stats = parsed(consume_answers.no_consumer_stats(9, "no such"))
    assert isinstance(stats, api.CommandConsumerStatsResponse)
    assert (stats.error_code, stats.error_message) == (api.ServerError.ConsumerNotFound, "no such")


def test_permits_below_zero_are_told_as_the_protocol_writes_them() -> None:
    one = consumer("me")
    one.permits = -3

    class Subscription:
        type = SubscriptionType.FAILOVER

        class cursor:
            backlog_entries = 12

    rates = (1.5, 2.5, 3.5, 4.5)
    subscription: Any = Subscription
    stats = parsed(consume_answers.consumer_stats(9, one, subscription, rates))
    assert (stats.msgRateOut, stats.msgThroughputOut) == (1.5, 2.5)
    assert (stats.msgRateRedeliver, stats.messageAckRate) == (3.5, 4.5)
    below_zero = 2**64 - 3
    assert (stats.availablePermits, stats.msgBacklog, stats.type) == (below_zero, 12, "Failover")
    assert stats.connectedSince == "2023-11-14T22:13:20.123Z"
