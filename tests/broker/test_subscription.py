import pytest
from magnetar_broker.errors import (
    ConsumerBusyError,
    MetadataFailedError,
    ServiceNotReadyError,
)
from magnetar_broker.subscription_type import KeySharing, SubscriptionType
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.position import Position
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.ack_sets import words_of_bits

from tests.broker.consuming import consumer, link_of, payload
from tests.broker.subscribed import MemoryTopic

EXCLUSIVE, SHARED, FAILOVER, KEY_SHARED = (
    SubscriptionType.EXCLUSIVE,
    SubscriptionType.SHARED,
    SubscriptionType.FAILOVER,
    SubscriptionType.KEY_SHARED,
)
STICKY = KeySharing(sticky=True)


async def test_a_newcomer_that_is_not_wanted_any_more_is_not_attached() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    with pytest.raises(ServiceNotReadyError):
        await subscription.attach(consumer(), still_wanted=lambda: False, accepted=lambda: None)
    assert not subscription.consumers


async def test_a_reader_that_is_not_wanted_any_more_leaves_nothing() -> None:
    topic = MemoryTopic()
    subscription = await topic.open(durable=False)
    with pytest.raises(ServiceNotReadyError):
        await subscription.attach(consumer(), still_wanted=lambda: False, accepted=lambda: None)
    await topic.scope.settle()
    assert not topic.subscriptions
    assert not topic.ledger.cursors


async def test_the_type_may_change_between_consumers() -> None:
    topic = MemoryTopic()
    topic.ledger.add(*(payload(n) for n in range(3)))
    subscription = await topic.open()
    one = await topic.attach(subscription, SHARED, permits=9)
    subscription.ack_individual(one, Position(1, 1), (), 0)
    subscription.detach(one)
    other = await topic.attach(subscription, EXCLUSIVE, permits=9)
    assert link_of(other).entries() == [(1, 0), (1, 2)]
    with pytest.raises(ConsumerBusyError):
        await topic.attach(subscription, SHARED)


async def test_nobody_is_attached_after_the_end() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    one = await topic.attach(subscription)
    await subscription.close()
    assert isinstance(link_of(one).commands()[0], api.CommandCloseConsumer)
    assert not topic.subscriptions
    with pytest.raises(ServiceNotReadyError):
        await topic.attach(subscription)


async def test_acks_behind_the_end_of_the_topic_are_passed_over() -> None:
    topic = MemoryTopic()
    topic.ledger.add(payload(0))
    subscription = await topic.open()
    one = await topic.attach(subscription, permits=9)
    subscription.ack_individual(one, Position(1, 7), (), 0)
    subscription.ack_cumulative(Position(5, 0), ())
    topic.ledger.add(*(payload(n) for n in range(1, 9)))
    assert subscription.cursor.backlog_entries == 9


async def test_an_all_zero_ack_set_acks_the_entry_also_where_ack_sets_are_off() -> None:
    topic = MemoryTopic(batch_index_ack_enabled=False)
    topic.ledger.add(payload(0, batch=3), payload(1, batch=3))
    subscription = await topic.open()
    one = await topic.attach(subscription)
    subscription.ack_individual(one, Position(1, 0), (0,), 3)
    subscription.ack_individual(one, Position(1, 1), (0b1,), 3)
    assert subscription.cursor.backlog_entries == 1


async def test_partial_acks_of_shared_free_unacked_messages() -> None:
    topic = MemoryTopic(max_unacked_messages_per_consumer=10)
    topic.ledger.add(payload(0, batch=10), payload(1, batch=10))
    subscription = await topic.open()
    one = await topic.attach(subscription, SHARED, permits=100)
    assert link_of(one).entries() == [(1, 0)]
    subscription.ack_individual(one, Position(1, 0), (0b111111,), 10)
    subscription.acks_done()
    assert link_of(one).entries() == []
    subscription.ack_individual(one, Position(1, 0), (0b011111,), 10)
    subscription.acks_done()
    assert link_of(one).entries() == [(1, 1)]
    assert one.unacked == 15
    assert one.acked_entries == 0


async def test_an_ack_set_larger_than_the_batch_is_one_of_the_batch() -> None:
    topic = MemoryTopic()
    topic.ledger.add(payload(0), payload(1, batch=3))
    subscription = await topic.open()
    one = await topic.attach(subscription, SHARED, permits=9)
    for entry_id, size in ((0, 0), (1, 2**31 - 1)):
        large = words_of_bits((1 << 1_000_000) - 2)
        subscription.ack_individual(one, Position(1, entry_id), large, size)
    assert subscription.cursor.mark_delete == (1, 0)
    assert subscription.cursor.ack_set_of(Position(1, 1)) == (0b110,)
    assert one.unacked == 2
    other = await topic.attach(subscription, SHARED, permits=9)
    subscription.detach(one)
    assert link_of(other).entries() == [(1, 1)]
    assert other.permits == 7


async def test_an_ack_that_finds_no_room_leaves_the_entry_with_its_consumer() -> None:
    topic = MemoryTopic()
    topic.ledger.add(payload(0, batch=3))
    subscription = await topic.open()
    one = await topic.attach(subscription, SHARED, permits=9)
    subscription.cursor.ack_individual = lambda *_: False  # type: ignore[method-assign]
    subscription.ack_individual(one, Position(1, 0), (0b110,), 3)
    assert (one.unacked, one.acked_entries) == (3, 0)
    assert Position(1, 0) in one.pending


async def test_an_epoch_never_goes_back_and_is_kept_only_for_those_that_use_it() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    one = await topic.attach(subscription)
    subscription.redeliver(one, None, 4)
    assert one.epoch is None
    one.epoch = 3
    for epoch in (5, 4):
        subscription.redeliver(one, None, epoch)
    assert one.epoch == 5


async def test_a_failed_unsubscribe_sends_its_consumer_round() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    one = await topic.attach(subscription)

    async def fail(name: str) -> None:
        raise LedgerError("planted")

    topic.ledger.delete_cursor = fail
    with pytest.raises(LedgerError):
        await subscription.unsubscribe(one, force=False)
    assert isinstance(link_of(one).commands()[-1], api.CommandCloseConsumer)
    assert topic.subscriptions["s"] is subscription
    await topic.attach(subscription)


async def test_unsubscribe_of_a_failover_consumer_that_is_not_active() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    for name in ("a", "b"):
        await topic.attach(subscription, FAILOVER, name)
    for one in subscription.consumers:
        with pytest.raises(MetadataFailedError):
            await subscription.unsubscribe(one, force=False)


async def test_a_cursor_is_active_only_while_somebody_reads() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    assert not subscription.cursor.active
    for kind in (SHARED, EXCLUSIVE):
        one = await topic.attach(subscription, kind)
        assert subscription.cursor.active
        subscription.detach(one)
        assert not subscription.cursor.active


async def test_the_end_of_a_topic_is_told_when_nothing_is_left() -> None:
    topic = MemoryTopic()
    topic.ledger.add(payload(0))
    subscription = await topic.open()
    one = await topic.attach(subscription)
    topic.ledger.terminated = True
    subscription.tell_end_of_topic()
    assert link_of(one).commands() == []
    subscription.ack_individual(one, Position(1, 0), (), 0)
    subscription.acks_done()
    assert isinstance(link_of(one).commands()[0], api.CommandReachedEndOfTopic)
    subscription.detach(one)
    late = await topic.attach(subscription)
    assert link_of(late).commands() == []  # it has not asked for anything yet
    subscription.flow(late, 1)
    assert isinstance(link_of(late).commands()[0], api.CommandReachedEndOfTopic)


async def test_leaving_twice_is_leaving_once() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    one = await topic.attach(subscription)
    subscription.detach(one)
    subscription.detach(one)
    assert not subscription.consumers


async def test_a_cumulative_ack_of_a_key_shared_consumer_does_nothing() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    topic.ledger.add(payload(0))
    await topic.attach(subscription, KEY_SHARED, permits=9)
    subscription.ack_cumulative(Position(1, 0), ())
    assert subscription.cursor.backlog_entries == 1


@pytest.mark.parametrize("kind", list(SubscriptionType))
async def test_a_cleared_backlog_is_not_sent(kind: SubscriptionType) -> None:
    topic = MemoryTopic(failover_delay_ms=0)
    subscription = await topic.open()
    topic.ledger.add(*(payload(n) for n in range(10)))
    one = await topic.attach(subscription, kind, permits=4)
    assert len(link_of(one).entries()) == 4
    subscription.clear_backlog()
    assert subscription.cursor.backlog_entries == 0
    topic.ledger.add(payload(10))
    subscription.redeliver(one, None)
    subscription.flow(one, 100)
    assert link_of(one).entries() == [(1, 10)]


async def test_a_backlog_is_cleared_without_consumers() -> None:
    topic = MemoryTopic()
    subscription = await topic.open()
    subscription.clear_backlog()
    topic.ledger.add(payload(0))
    subscription.clear_backlog()
    assert subscription.cursor.backlog_entries == 0
