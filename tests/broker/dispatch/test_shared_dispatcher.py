from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from magnetar_broker.consumer import Consumer
from magnetar_broker.dispatch.shared_dispatcher import SharedDispatcher
from magnetar_ledger.position import Position

from tests.broker.consuming import (
    TOPIC,
    FakeLink,
    LoopScope,
    MemoryLog,
    link_of,
    payload,
)
from tests.broker.dispatching import (
    DispatcherSetup,
    check_the_limit_of_the_broker,
    entry_ids,
)


class Setup(DispatcherSetup):
    def __init__(self, log: MemoryLog | None = None, *, scope: Any = None, **limits: Any) -> None:
        super().__init__(log, scope=scope, **limits)
        self.dispatcher = SharedDispatcher(
            TOPIC,
            self.log,  # type: ignore[arg-type]
            self.cursor,
            self.context,
        )


def test_the_limit_of_the_broker_holds_back_who_holds_much() -> None:
    check_the_limit_of_the_broker(Setup)


def test_consumers_take_turns_of_so_many_entries() -> None:
    setup = Setup(round_robin_max_entries=3)
    a, b = setup.attach("a", permits=100), setup.attach("b", permits=100)
    setup.add(*(payload(n) for n in range(8)))
    assert entry_ids(a) == [0, 1, 2, 6, 7]
    assert entry_ids(b) == [3, 4, 5]


def test_single_entries_go_round_too() -> None:
    setup = Setup()
    a, b = setup.attach("a", permits=100), setup.attach("b", permits=100)
    for number in range(4):
        setup.add(payload(number))
    assert (entry_ids(a), entry_ids(b)) == ([0, 2], [1, 3])


def test_who_has_no_permits_is_passed_over() -> None:
    setup = Setup()
    a, b = setup.attach("a", permits=1), setup.attach("b", permits=3)
    setup.add(*(payload(n) for n in range(5)))
    assert (entry_ids(a), entry_ids(b)) == ([0], [1, 2, 3])
    setup.dispatcher.flow(a, 1)
    assert entry_ids(a) == [4]


def test_a_batch_costs_its_messages() -> None:
    setup = Setup()
    one = setup.attach(permits=15)
    setup.add(*(payload(n, batch=10) for n in range(4)))
    assert entry_ids(one) == [0, 1]
    assert (one.permits, one.unacked) == (-5, 20)


def test_an_unwritable_connection_is_passed_over() -> None:
    setup = Setup()
    slow = FakeLink()
    a, b = setup.attach("a", permits=100, link=slow), setup.attach("b", permits=100)
    slow.room_bytes = 1
    setup.add(*(payload(n) for n in range(30)))
    assert len(entry_ids(a)) == 20
    assert entry_ids(b) == list(range(20, 30))
    setup.add(payload(30))
    assert (entry_ids(a), entry_ids(b)) == ([], [30])


def test_trap_10_given_back_entries_come_first_and_are_counted() -> None:
    setup = Setup()
    a, b = setup.attach("a", permits=3), setup.attach("b")
    setup.add(*(payload(n) for n in range(6)))
    assert entry_ids(a) == [0, 1, 2]
    setup.dispatcher.redeliver(a, [Position(1, 0), Position(1, 2)])
    setup.dispatcher.flow(b, 3)
    messages = link_of(b).messages()
    assert [(one.message_id.entryId, one.redelivery_count) for one in messages] == [
        (0, 1),
        (2, 1),
        (3, 0),
    ]


def test_trap_10_entries_of_a_consumer_that_left_go_to_others_uncounted() -> None:
    setup = Setup()
    a = setup.attach("a", permits=4)
    setup.add(*(payload(n) for n in range(4)))
    setup.ack(a, 1)
    b = setup.attach("b", permits=10)
    setup.dispatcher.remove(a)
    messages = link_of(b).messages()
    assert [(one.message_id.entryId, one.redelivery_count) for one in messages] == [
        (0, 0),
        (2, 0),
        (3, 0),
    ]


def test_counts_go_on_after_the_last_consumer_left() -> None:
    setup = Setup()
    a = setup.attach("a", permits=10)
    setup.add(payload(0), payload(1))
    for _ in range(2):
        setup.dispatcher.redeliver(a, None)
    assert [one.redelivery_count for one in link_of(a).messages()] == [0, 0, 1, 1, 2, 2]
    setup.ack(a, 1)
    setup.dispatcher.remove(a)
    b = setup.attach("b", permits=10)
    messages = link_of(b).messages()
    assert [(one.message_id.entryId, one.redelivery_count) for one in messages] == [(0, 2)]


def test_a_replayed_entry_that_was_acked_in_part_is_masked() -> None:
    setup = Setup()
    a = setup.attach("a", permits=10)
    setup.add(payload(0, batch=10))
    link_of(a).sent.clear()
    setup.cursor.ack_individual(Position(1, 0), [0b11], 10)
    setup.dispatcher.acked(a, Position(1, 0), 2)
    assert a.unacked == 2
    setup.dispatcher.redeliver(a, None)
    setup.dispatcher.flow(a, 10)
    [message] = link_of(a).messages()
    assert list(message.ack_set) == [0b11]
    assert (a.permits, a.unacked) == (8, 2)


def test_too_many_unacked_messages_hold_a_consumer_until_half_are_acked() -> None:
    setup = Setup(max_unacked_messages_per_consumer=4)
    one = setup.attach(permits=100)
    setup.add(*(payload(n) for n in range(10)))
    assert entry_ids(one) == [0, 1, 2, 3]
    setup.ack(one, 0)
    assert entry_ids(one) == []
    setup.ack(one, 1)
    assert entry_ids(one) == [4, 5]


def test_replayed_entries_that_are_gone_are_forgotten() -> None:
    setup = Setup()
    one = setup.attach(permits=3)
    setup.add(*(payload(n) for n in range(3)))
    setup.log.roll_over()
    setup.log.add(payload(3))
    link_of(one).sent.clear()
    setup.log.trim()
    setup.log.cache.evict_before(Position(2, 0))
    setup.dispatcher.redeliver(one, None)
    setup.dispatcher.flow(one, 5)
    assert link_of(one).entries() == [(2, 0)]
    assert len(setup.dispatcher.core.replay) == 0


async def test_replays_are_read_from_storage_once_per_run() -> None:
    log = MemoryLog(cached=False)
    log.add(*(payload(n) for n in range(60)))
    scope = LoopScope()
    setup = Setup(log, scope=scope)
    a = setup.attach("a", permits=60)
    await scope.settle()
    assert entry_ids(a) == list(range(60))
    log.reads.clear()
    setup.dispatcher.redeliver(a, None)
    setup.dispatcher.flow(a, 60)
    await scope.settle()
    assert entry_ids(a) == list(range(60))
    assert log.reads == [(1, 0)]


def test_a_long_turn_is_cut() -> None:
    entry = payload(0)
    setup = Setup(turn_max_bytes=20 * len(entry))
    setup.log.add(*[entry] * 50)
    one = setup.attach(permits=100)
    assert len(entry_ids(one)) == 20
    setup.dispatcher.dispatch()
    assert entry_ids(one) == []
    while setup.timers.run_soon():
        pass
    assert len(entry_ids(one)) == 30


def test_only_the_sole_consumer_may_unsubscribe() -> None:
    setup = Setup()
    one = setup.attach("a")
    assert setup.dispatcher.may_unsubscribe(one)
    setup.attach("b")
    assert not setup.dispatcher.may_unsubscribe(one)


class SharedFlow(RuleBasedStateMachine):
    """A whole dispatcher with a real cursor: what clients receive is the model."""

    @initialize(unacked=st.sampled_from([0, 6]), turn=st.integers(1, 4))
    def begin(self, unacked: int, turn: int) -> None:
        self.setup = Setup(
            max_unacked_messages_per_consumer=unacked,
            round_robin_max_entries=turn,
            turn_max_bytes=200,
        )
        self.batches: list[int] = []
        self.left: list[set[int]] = []
        self.holder: dict[int, Consumer] = {}
        self.room: Counter[Consumer] = Counter()

    @property
    def consumers(self) -> list[Consumer]:
        return list(self.setup.dispatcher.consumers)

    def pick(self, which: int) -> Consumer:
        return self.consumers[which % len(self.consumers)]

    @rule(batch=st.integers(1, 4), count=st.integers(1, 5))
    def publish(self, batch: int, count: int) -> None:
        for _ in range(count):
            self.batches.append(batch)
            self.left.append(set(range(batch)))
        self.setup.add(*(payload(n, batch=batch) for n in range(count)))
        self.receive()

    @rule(level=st.integers(0, 1))
    def come(self, level: int) -> None:
        if len(self.consumers) < 3:
            self.setup.attach(level=level)

    @precondition(lambda self: self.consumers)
    @rule(which=st.integers(0, 2))
    def go(self, which: int) -> None:
        one = self.pick(which)
        self.holder = {entry: held for entry, held in self.holder.items() if held is not one}
        self.setup.dispatcher.remove(one)
        self.receive()

    @precondition(lambda self: self.consumers)
    @rule(which=st.integers(0, 2), permits=st.integers(1, 8))
    def flow(self, which: int, permits: int) -> None:
        one = self.pick(which)
        self.room[one] += permits
        self.setup.dispatcher.flow(one, permits)
        self.receive()

    @precondition(lambda self: self.holder)
    @rule(which=st.integers(0, 99), index=st.integers(0, 3), whole=st.booleans())
    def ack(self, which: int, index: int, whole: bool) -> None:
        entry = sorted(self.holder)[which % len(self.holder)]
        one, left = self.holder[entry], self.left[entry]
        left -= set(left) if whole else {index % self.batches[entry]}
        words = [sum(1 << bit for bit in left)] if left else None
        done = self.setup.cursor.ack_individual(Position(1, entry), words, self.batches[entry])
        assert done == (not left)
        self.setup.dispatcher.acked(one, Position(1, entry), len(left))
        if not left:
            del self.holder[entry]
        self.setup.dispatcher.acks_done()
        self.receive()

    @precondition(lambda self: self.consumers)
    @rule(which=st.integers(0, 2))
    def give_back(self, which: int) -> None:
        one = self.pick(which)
        self.holder = {entry: held for entry, held in self.holder.items() if held is not one}
        self.setup.dispatcher.redeliver(one, None)
        self.receive()

    def receive(self) -> None:
        while self.setup.timers.run_soon():
            pass
        for one in self.consumers:
            for message in link_of(one).messages():
                entry = message.message_id.entryId
                assert entry not in self.holder, "it is with a consumer already"
                assert self.left[entry], "it was acked"
                self.holder[entry] = one
                wanted = sum(1 << bit for bit in self.left[entry])
                whole = len(self.left[entry]) == self.batches[entry]
                assert list(message.ack_set) == ([] if whole else [wanted])
                self.room[one] -= len(self.left[entry])

    @invariant()
    def permits_are_what_clients_have_room_for(self) -> None:
        for one in self.consumers:
            assert one.permits + one.parked_permits == self.room[one]

    @invariant()
    def nothing_is_stuck(self) -> None:
        """If anybody can take anything, everything unacked is with somebody."""
        if any(one.permits > 0 and not one.blocked for one in self.consumers):
            waiting = [
                entry for entry, left in enumerate(self.left) if left and entry not in self.holder
            ]
            assert waiting == []


SharedFlow.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestSharedFlow = SharedFlow.TestCase


async def test_what_was_read_to_be_sent_again_is_not_kept() -> None:
    log, scope = MemoryLog(cached=False), LoopScope()
    setup = Setup(log, scope=scope)
    a = setup.attach("a", permits=9)
    setup.add(*(payload(n) for n in range(3)))
    await scope.settle()
    setup.dispatcher.redeliver(a, None)
    await scope.settle()
    assert entry_ids(a) == [0, 1, 2, 0, 1, 2]
    assert setup.dispatcher._replays._held is None
