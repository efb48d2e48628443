"""Delayed messages on Shared: held back, brought in time, and what else waits for nothing."""

from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from magnetar_broker.dispatch import delayed_index
from magnetar_broker.dispatch.shared_dispatcher import SharedDispatcher
from magnetar_ledger.position import Position
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.payloads import encode_payload

from tests.broker.consuming import TOPIC, FakeClock, LoopScope, MemoryLog, link_of, payload
from tests.broker.dispatch.memory_buckets import MemoryBuckets
from tests.broker.dispatch.test_delayed_memory import Index
from tests.broker.dispatch.test_key_shared_dispatcher import Setup as KeySharedSetup
from tests.broker.dispatch.test_shared_dispatcher import Setup, entry_ids

STRICT = {"delayed_delivery_strict": True}


def delayed(number: int, deliver_at_ms: int) -> bytes:
    metadata = api.MessageMetadata(
        producer_name="p", sequence_id=number, publish_time=0, deliver_at_time=deliver_at_ms
    )
    return encode_payload(metadata, b"body %d" % number)


def clock_of(setup: Setup) -> FakeClock:
    clock = setup.dispatcher._context.clock
    assert isinstance(clock, FakeClock)
    return clock


def setup_with(
    delays_ms: Sequence[int | None], *, kind: Any = Setup, **limits: Any
) -> tuple[Any, Any, FakeClock]:
    """A consumer with room, and an entry per delay; None has none."""
    setup = kind(**limits)
    one = setup.attach(permits=1_000)
    clock = clock_of(setup)
    setup.add(
        *(
            payload(n) if delay is None else delayed(n, clock.now_ms + delay)
            for n, delay in enumerate(delays_ms)
        )
    )
    return setup, one, clock


def pass_time(setup: Setup, milliseconds: int) -> None:
    clock_of(setup).now_ms += milliseconds
    setup.timers.fire()


def test_delayed_entries_wait_and_others_pass_them() -> None:
    setup, one, _ = setup_with([5_000, None, 3_000, None], **STRICT)
    assert entry_ids(one) == [1, 3]
    pass_time(setup, 2_999)
    assert entry_ids(one) == []
    pass_time(setup, 1)
    assert entry_ids(one) == [2]
    pass_time(setup, 2_000)
    assert entry_ids(one) == [0]
    assert setup.timers.later == []


def test_the_timer_is_never_later_than_a_tick() -> None:
    setup, _, _ = setup_with([86_400_000, 300], **STRICT)
    assert max(delay_s for delay_s, _ in setup.timers.later) <= 1.0
    assert min(delay_s for delay_s, _ in setup.timers.later) == 0.3


def test_unless_strict_delivery_is_up_to_a_tick_early() -> None:
    setup, one, _ = setup_with([1_000, 1_001])
    assert entry_ids(one) == [0]
    pass_time(setup, 1)
    assert entry_ids(one) == [1]


def test_what_is_over_or_no_time_is_delivered_at_once() -> None:
    _, one, _ = setup_with([0, -5, -(10**12)], **STRICT)
    assert entry_ids(one) == [0, 1, 2]


def test_due_entries_wait_for_permits_without_a_timer() -> None:
    setup = Setup(**STRICT)
    one = setup.attach(permits=1)
    clock = clock_of(setup)
    setup.add(delayed(0, clock.now_ms + 50), delayed(1, clock.now_ms + 50))
    pass_time(setup, 50)
    assert entry_ids(one) == [0]
    for _ in range(3):
        pass_time(setup, 1_000)
    assert setup.timers.later == []
    setup.dispatcher.flow(one, 5)
    assert entry_ids(one) == [1]


def test_an_entry_that_was_acked_meanwhile_does_not_come() -> None:
    setup, one, _ = setup_with([50, 50], **STRICT)
    setup.cursor.ack_individual(Position(1, 0))
    pass_time(setup, 50)
    assert entry_ids(one) == [1]


def test_a_redelivery_does_not_wait_again() -> None:
    setup, one, _ = setup_with([1_000])
    setup.dispatcher.redeliver(one, None)
    assert [each.redelivery_count for each in link_of(one).messages()] == [0, 1]


def test_entries_go_on_waiting_when_the_last_consumer_has_left() -> None:
    setup, one, clock = setup_with([500, None], **STRICT)
    setup.ack(one, 1)
    setup.dispatcher.remove(one)
    setup.timers.fire()
    other = setup.attach("b", permits=10)
    assert entry_ids(other) == []
    pass_time(setup, 500)
    assert entry_ids(other) == [0]
    assert clock.now_ms


@pytest.mark.parametrize("kind", [Setup, KeySharedSetup])
def test_what_became_due_while_nobody_was_there_comes_once(kind: Any) -> None:
    """Scenario: it waits in the index still, and reading that starts anew comes to it as well."""
    setup, one, _ = setup_with([500], kind=kind, **STRICT)
    setup.dispatcher.remove(one)
    pass_time(setup, 1_000)
    other = setup.attach("b", permits=10)
    assert entry_ids(other) == [0]
    assert setup.dispatcher.delayed == (0, 0)
    setup.dispatcher.flow(other, 10)
    assert entry_ids(other) == []


def test_what_becomes_due_before_reading_comes_to_it_again_comes_once() -> None:
    setup, one, _ = setup_with([None, None, 500], **STRICT)
    assert entry_ids(one) == [0, 1]
    setup.dispatcher.remove(one)
    b = setup.attach("b", permits=1)
    pass_time(setup, 500)
    setup.dispatcher.flow(b, 1)
    c = setup.attach("c", permits=10)
    setup.dispatcher.flow(c, 10)
    assert (entry_ids(b), entry_ids(c)) == ([0, 1], [2])


async def test_what_reading_ahead_has_passed_over_comes_when_it_is_due() -> None:
    """Scenario: entries before it, read but not sent yet, stand where reading is."""
    log, scope = MemoryLog(cached=False), LoopScope()
    setup = Setup(log, scope=scope, read_max_entries=4, **STRICT)
    one = setup.attach(permits=1_000)
    now_ms = clock_of(setup).now_ms
    setup.add(*(delayed(n, now_ms + 500) if n in {4, 5} else payload(n) for n in range(8)))
    await scope.settle()
    assert entry_ids(one) == [0, 1, 2, 3, 6, 7]
    setup.dispatcher.remove(one)
    log.reads.clear()
    b = setup.attach("b", permits=2)
    await scope.settle()
    assert log.reads == [(1, 0), (1, 6)]
    pass_time(setup, 500)
    setup.dispatcher.flow(b, 2)
    await scope.settle()
    assert entry_ids(b) == [0, 1, 4, 5]
    setup.dispatcher.flow(b, 10)
    await scope.settle()
    assert entry_ids(b) == [2, 3, 6, 7]


@pytest.mark.parametrize("kind", [Setup, KeySharedSetup])
def test_leaving_what_is_due_to_reading_ends_a_turn_of_the_loop_too(kind: Any) -> None:
    setup, one, _ = setup_with([50] * 2_000, kind=kind, **STRICT)
    while setup.timers.run_soon():
        pass
    setup.dispatcher.remove(one)
    pass_time(setup, 50)
    other = setup.attach("b")
    waiting = [setup.dispatcher.delayed[0]]
    setup.dispatcher.flow(other, 10_000)
    waiting.append(setup.dispatcher.delayed[0])
    while setup.timers.run_soon():
        waiting.append(setup.dispatcher.delayed[0])
    assert max(before - after for before, after in pairwise(waiting)) <= 300
    assert sorted(entry_ids(other)) == list(range(2_000))


def test_turned_off_nothing_waits() -> None:
    _, one, _ = setup_with([5_000, None], delayed_delivery_enabled=False)
    assert entry_ids(one) == [0, 1]


def test_parking_ends_a_turn_of_the_loop_too() -> None:
    setup = Setup(MemoryLog(), turn_max_bytes=20 * 1_024, **STRICT)
    one = setup.attach(permits=1_000)
    due_ms = clock_of(setup).now_ms + 50
    setup.add(*(delayed(n, due_ms) for n in range(100)))
    turns = 0
    while setup.timers.run_soon():
        turns += 1
    assert turns >= 4
    pass_time(setup, 50)
    while setup.timers.run_soon():
        pass
    assert sorted(entry_ids(one)) == list(range(100))


def test_what_is_due_comes_in_short_turns_of_the_loop() -> None:
    setup = Setup(MemoryLog(), **STRICT)
    one = setup.attach(permits=1_000)
    now_ms = clock_of(setup).now_ms
    # One here, one there in the topic, so that each is a run of its own.
    setup.add(*(delayed(n, now_ms + 50 + 86_400_000 * (n % 2)) for n in range(1_000)))
    while setup.timers.run_soon():
        pass
    pass_time(setup, 50)
    sent = [len(entry_ids(one))]
    while setup.timers.run_soon():
        sent.append(len(entry_ids(one)))
    assert sum(sent) == 500
    # A run is charged 10 KiB of the megabyte of a turn.
    assert max(sent) <= 103
    assert len(setup.dispatcher.core.replay) == 0


def test_few_due_entries_leave_the_index_at_a_time() -> None:
    setup = Setup(MemoryLog(), **STRICT)
    setup.attach(permits=1)
    due_ms = clock_of(setup).now_ms + 50
    setup.add(*(delayed(n, due_ms) for n in range(500)))
    while setup.timers.run_soon():
        pass
    pass_time(setup, 50)
    delayed_ones = setup.dispatcher._delayed
    assert delayed_ones is not None
    assert (delayed_ones.index.rows, len(setup.dispatcher.core.replay)) == (400, 99)


def test_a_broken_head_is_for_the_client_to_judge() -> None:
    setup = Setup()
    one = setup.attach(permits=10)
    setup.add(b"\x0e\x01broken")
    assert entry_ids(one) == [0]


# Buckets, with rows in runs of two.


class Stored(Setup):
    """A dispatcher whose index is stored, and what is started again on the same ledgers."""

    def __init__(self, ledgers: MemoryBuckets, log: MemoryLog, cursor: Any, **limits: Any) -> None:
        self.scope = LoopScope()
        super().__init__(log, scope=self.scope, **STRICT, **(LIMITS | limits))
        if cursor is not None:
            self.cursor = cursor
        self.cursor.buckets = ledgers
        topic_log: Any = log
        self.dispatcher = SharedDispatcher(TOPIC, topic_log, self.cursor, self.context)

    async def settle(self) -> None:
        for _ in range(10):
            await self.scope.settle()
            self.timers.run_soon()

    async def pass_time(self, milliseconds: int) -> None:
        pass_time(self, milliseconds)
        await self.settle()


LIMITS = {"delayed_index_bucket_rows": 4, "delayed_index_segment_rows": 3}


@pytest.fixture
def ledgers(monkeypatch: pytest.MonkeyPatch) -> MemoryBuckets:
    monkeypatch.setattr(delayed_index, "RUN_ROWS", 2)
    return MemoryBuckets()


async def stored(ledgers: MemoryBuckets, delays_ms: list[int]) -> tuple[Stored, Any]:
    """All of these entries read by a consumer, and stored as far as they are enough."""
    setup = Stored(ledgers, MemoryLog(cached=False), None)
    one = setup.attach(permits=1_000)
    now = clock_of(setup).now_ms
    setup.add(*(delayed(n, now + delay) for n, delay in enumerate(delays_ms)))
    await setup.settle()
    return setup, one


def restarted(setup: Stored, ledgers: MemoryBuckets) -> Stored:
    setup.dispatcher.close()
    setup.log.reads.clear()
    again = Stored(ledgers, setup.log, setup.cursor)
    clock_of(again).now_ms = clock_of(setup).now_ms
    return again


async def test_many_rows_leave_memory_and_come_in_time(ledgers: MemoryBuckets) -> None:
    delays = [9_000, 5_000, 7_000, 5_000, 8_000, 6_000, 60_000]
    setup, one = await stored(ledgers, delays)
    assert len(ledgers.kept) >= 1
    assert setup.dispatcher.delayed[0] == 7
    came: list[int] = []
    for _ in range(9):
        await setup.pass_time(1_000)
        came += entry_ids(one)
    assert came == [1, 3, 5, 2, 4, 0]
    assert setup.dispatcher.delayed[0] == 1


async def test_a_used_up_bucket_goes(ledgers: MemoryBuckets) -> None:
    setup, one = await stored(ledgers, [1_000, 2_000, 3_000, 4_000])
    assert len(ledgers.kept) == 1
    for _ in range(4):
        await setup.pass_time(1_000)
    assert entry_ids(one) == [0, 1, 2, 3]
    assert (ledgers.kept, setup.dispatcher.delayed) == ((), (0, 0))


async def test_a_restart_reads_none_of_what_is_stored_again(ledgers: MemoryBuckets) -> None:
    before, _ = await stored(ledgers, [50_000] * 4 + [20_000] * 3)
    (bucket,) = ledgers.kept
    setup = restarted(before, ledgers)
    one = setup.attach(permits=1_000)
    await setup.settle()
    assert setup.log.reads == [(1, 4)]  # what follows the bucket
    assert setup.dispatcher.delayed[0] == 7
    assert bucket in ledgers.kept
    await setup.pass_time(20_000)
    assert sorted(entry_ids(one)) == [4, 5, 6]
    await setup.pass_time(30_000)
    assert sorted(entry_ids(one)) == [0, 1, 2, 3]


async def test_after_a_restart_what_was_acked_does_not_come(ledgers: MemoryBuckets) -> None:
    before, one = await stored(ledgers, [1_000, 1_000, 9_000, 9_000])
    await before.pass_time(1_000)
    assert entry_ids(one) == [0, 1]
    before.ack(one, 1)
    setup = restarted(before, ledgers)
    other = setup.attach(permits=1_000)
    await setup.settle()
    assert entry_ids(other) == [0]
    await setup.pass_time(8_000)
    assert entry_ids(other) == [2, 3]


async def test_nothing_is_sent_before_the_index_is_there_again(ledgers: MemoryBuckets) -> None:
    before, _ = await stored(ledgers, [5_000] * 4)
    setup = restarted(before, ledgers)
    setup.log.add(payload(4))
    ledgers.failures = 2
    one = setup.attach(permits=1_000)
    await setup.settle()
    assert entry_ids(one) == []
    for _ in range(2):
        await setup.pass_time(1_000)
    assert entry_ids(one) == [4]


async def test_a_lost_bucket_sends_the_consumers_away_and_is_read_again(
    ledgers: MemoryBuckets,
) -> None:
    setup, one = await stored(ledgers, [30_000] * 4)
    one.subscription = SimpleNamespace(detach=setup.dispatcher.remove)  # type: ignore[assignment]
    ledgers.ledgers.clear()
    await setup.pass_time(26_000)
    assert isinstance(link_of(one).commands()[-1], api.CommandCloseConsumer)
    assert list(setup.dispatcher.consumers) == []
    other = setup.attach("b", permits=10)
    await setup.settle()
    await setup.pass_time(4_000)
    await setup.settle()
    assert entry_ids(other) == [0, 1, 2, 3]


async def test_a_failed_load_is_tried_again(ledgers: MemoryBuckets) -> None:
    setup, one = await stored(ledgers, [30_000] * 4)
    ledgers.failures = 1
    await setup.pass_time(29_000)
    assert entry_ids(one) == []
    await setup.pass_time(1_000)
    assert entry_ids(one) == [0, 1, 2, 3]


async def test_a_failed_store_leaves_the_rows_in_memory(ledgers: MemoryBuckets) -> None:
    ledgers.failures = 1
    setup, one = await stored(ledgers, [1_000] * 5)
    assert ledgers.kept == ()
    await setup.pass_time(1_000)
    assert entry_ids(one) == [0, 1, 2, 3, 4]


async def test_after_a_seek_buckets_are_forgotten(ledgers: MemoryBuckets) -> None:
    setup, one = await stored(ledgers, [5_000] * 4)
    setup.dispatcher.remove(one)
    await setup.cursor.reset(Position(1, 2))
    other = setup.attach("b", permits=10)
    await setup.settle()
    assert ledgers.kept == ()
    assert setup.dispatcher.delayed[0] == 2
    await setup.pass_time(5_000)
    assert entry_ids(other) == [2, 3]


async def test_buckets_that_a_seek_let_go_are_never_kept_again(ledgers: MemoryBuckets) -> None:
    setup, one = await stored(ledgers, [60_000] * 4)
    setup.dispatcher.remove(one)
    ledgers.kept, ledgers.ledgers = (), {}  # as the cursor does with its reset
    await setup.cursor.reset(Position(1, 0))
    setup.attach("b", permits=10)
    await setup.settle()
    assert ledgers.kept
    assert set(ledgers.kept) == set(ledgers.ledgers)


async def test_when_all_is_acked_nothing_is_left(ledgers: MemoryBuckets) -> None:
    setup, one = await stored(ledgers, [5_000] * 5)
    for entry_id in range(5):
        setup.ack(one, entry_id)
    await setup.settle()
    assert (ledgers.kept, setup.dispatcher.delayed) == ((), (0, 0))


async def test_full_memory_makes_small_buckets(ledgers: MemoryBuckets) -> None:
    setup = Stored(ledgers, MemoryLog(), None, delayed_index_bucket_rows=1_000)
    setup.context.delayed_memory.max_bytes = 8_000
    setup.attach(permits=1_000)
    setup.add(*(delayed(n, clock_of(setup).now_ms + 5_000) for n in range(2)))
    await setup.settle()
    assert ledgers.kept


async def test_at_the_limit_nothing_is_read_on_until_there_is_room(
    ledgers: MemoryBuckets,
) -> None:
    sizes = {"delayed_index_bucket_rows": 1_000, "delayed_index_segment_rows": 50}
    setup = Stored(ledgers, MemoryLog(), None, **sizes)
    setup.context.delayed_memory.max_bytes = 5_000
    ledgers.failures = 1_000
    one = setup.attach(permits=1_000)
    now = clock_of(setup).now_ms
    setup.add(*(delayed(n, now + 5_000) for n in range(200)), payload(200))
    await setup.settle()
    waiting, used = setup.dispatcher.delayed
    assert waiting < 200
    assert used < 5_100
    assert entry_ids(one) == []
    ledgers.failures = 0
    for _ in range(4):
        await setup.pass_time(1_000)
    assert entry_ids(one) == [200]
    assert setup.dispatcher.delayed[0] == 200
    await setup.pass_time(1_000)
    assert entry_ids(one) == list(range(200))


async def test_a_subscription_without_delays_goes_on_at_the_limit() -> None:
    setup = Setup(**STRICT)
    setup.context.delayed_memory.max_bytes = 0
    one = setup.attach(permits=1_000)
    setup.add(payload(0), payload(1))
    assert entry_ids(one) == [0, 1]


@pytest.mark.parametrize("kind", [Setup, KeySharedSetup])
def test_at_the_limit_what_waited_before_comes_to_who_comes_back(kind: Any) -> None:
    """Scenario: other subscriptions leave no room for the next entry, for hours."""
    setup, one, clock = setup_with([500], kind=kind, **STRICT)
    memory = setup.context.delayed_memory
    memory.set_used(Index(), memory.max_bytes)
    setup.add(delayed(1, clock.now_ms + 86_400_000), payload(2))
    assert setup.dispatcher._delayed.held_back
    setup.dispatcher.remove(one)
    pass_time(setup, 500)
    other = setup.attach("b", permits=10)
    while setup.timers.run_soon():
        pass
    assert entry_ids(other) == [0]
    assert setup.dispatcher._delayed.held_back


async def test_rows_that_were_all_taken_while_they_were_stored_leave_no_bucket(
    ledgers: MemoryBuckets,
) -> None:
    setup = Stored(ledgers, MemoryLog(), None)
    one = setup.attach(permits=1_000)
    now = clock_of(setup).now_ms
    setup.add(*(delayed(n, now + 10) for n in range(4)), delayed(4, now + 60_000))
    pass_time(setup, 10)  # before the task that stores them had its turn
    await setup.settle()
    assert sorted(entry_ids(one)) == [0, 1, 2, 3]
    assert ledgers.kept == ()
