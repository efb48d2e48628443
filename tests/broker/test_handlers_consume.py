from typing import Any

import pytest
from magnetar_broker.errors import ProtocolViolationError
from magnetar_broker.handlers_consume import (
    CONSUME_HANDLERS,
    consumers_writable,
    detach_consumers,
    handle_ack,
    handle_close_consumer,
    handle_flow,
    handle_redeliver,
)
from magnetar_broker.subscription_type import SubscriptionType
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.ack_sets import MOST_WORDS

from tests.broker.consuming import FakeLink, payload
from tests.broker.subscribed import MemoryTopic


def test_all_commands_of_consumers_are_handled() -> None:
    names = {api.BaseCommand.Type.Name(kind) for kind in CONSUME_HANDLERS}
    assert names == {
        "SUBSCRIBE",
        "FLOW",
        "ACK",
        "REDELIVER_UNACKNOWLEDGED_MESSAGES",
        "CLOSE_CONSUMER",
        "UNSUBSCRIBE",
        "SEEK",
        "GET_LAST_MESSAGE_ID",
        "CONSUMER_STATS",
    }


async def attached(kind: SubscriptionType = SubscriptionType.SHARED) -> tuple[MemoryTopic, Any]:
    """A topic with five entries and a link with consumer 1 on it."""
    topic = MemoryTopic()
    topic.ledger.add(*(payload(n) for n in range(5)))
    link: Any = FakeLink()
    await topic.attach(await topic.open(), kind, link=link)
    return topic, link


@pytest.mark.parametrize(
    ("handler", "command"),
    [
        (handle_flow, api.CommandFlow(consumer_id=1, messagePermits=1)),
        (handle_ack, api.CommandAck(consumer_id=1, ack_type=0, request_id=1)),
        (handle_redeliver, api.CommandRedeliverUnacknowledgedMessages(consumer_id=1)),
    ],
)
def test_commands_for_unknown_consumers_are_passed_over(handler: Any, command: Any) -> None:
    link = FakeLink()
    handler(link, command)
    assert link.sent == []


async def test_flow_sends_and_zero_is_a_violation() -> None:
    _, link = await attached()
    handle_flow(link, api.CommandFlow(consumer_id=1, messagePermits=2))
    assert link.entries() == [(1, 0), (1, 1)]
    with pytest.raises(ProtocolViolationError):
        handle_flow(link, api.CommandFlow(consumer_id=1, messagePermits=0))


def ids(*entry_ids: int) -> list[api.MessageIdData]:
    return [api.MessageIdData(ledgerId=1, entryId=entry_id) for entry_id in entry_ids]


async def test_one_command_acks_many() -> None:
    topic, link = await attached()
    handle_ack(link, api.CommandAck(consumer_id=1, ack_type=0, message_id=ids(0, 2, 3)))
    assert topic.subscriptions["s"].cursor.backlog_entries == 2
    assert link.sent == []


@pytest.mark.parametrize("ack_type", [0, 1])
async def test_an_ack_set_of_no_batch_is_refused_or_costs_the_connection(ack_type: int) -> None:
    topic, link = await attached(SubscriptionType.EXCLUSIVE)
    message_id = api.MessageIdData(ledgerId=1, entryId=0, ack_set=[-1] * (MOST_WORDS + 1))
    ack = api.CommandAck(consumer_id=1, ack_type=ack_type, message_id=[message_id])
    with pytest.raises(ProtocolViolationError):
        handle_ack(link, ack)
    ack.request_id = 7
    handle_ack(link, ack)
    (answer,) = link.commands()
    assert (answer.request_id, answer.error) == (7, api.NotAllowedError)
    assert topic.subscriptions["s"].cursor.backlog_entries == 5


@pytest.mark.parametrize("entry_ids", [(), (1, 3)])
async def test_a_cumulative_ack_names_exactly_one(entry_ids: tuple[int, ...]) -> None:
    topic, link = await attached(SubscriptionType.EXCLUSIVE)
    handle_ack(link, api.CommandAck(consumer_id=1, ack_type=1, message_id=ids(*entry_ids)))
    assert topic.subscriptions["s"].cursor.backlog_entries == 5
    handle_ack(link, api.CommandAck(consumer_id=1, ack_type=1, message_id=ids(2)))
    assert topic.subscriptions["s"].cursor.backlog_entries == 2


async def test_closing_also_ends_a_subscribe_under_way() -> None:
    topic, link = await attached()
    link.subscribing[2] = object()
    for consumer_id in (1, 2, 3):
        handle_close_consumer(
            link, api.CommandCloseConsumer(consumer_id=consumer_id, request_id=consumer_id)
        )
    assert [answer.request_id for answer in link.commands()] == [1, 2, 3]
    assert not link.consumers
    assert not link.subscribing
    assert not topic.subscriptions["s"].consumers


async def test_a_lost_connection_leaves_all_its_subscriptions() -> None:
    topic, link = await attached()
    await topic.attach(await topic.open("t"), link=link, consumer_id=2)
    detach_consumers(link)
    assert not link.consumers
    assert not any(subscription.consumers for subscription in topic.subscriptions.values())


async def test_a_connection_that_resumes_gets_what_waits() -> None:
    _, link = await attached()
    link.writable = False
    handle_flow(link, api.CommandFlow(consumer_id=1, messagePermits=9))
    assert link.sent == []
    link.writable = True
    consumers_writable(link)
    assert len(link.entries()) == 5
