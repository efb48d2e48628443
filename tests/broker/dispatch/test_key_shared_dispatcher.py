from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from magnetar_broker.consumer import Consumer
from magnetar_broker.dispatch import key_shared_dispatcher
from magnetar_broker.dispatch.key_shared_dispatcher import LEAST_CHARGE_BYTES, KeySharedDispatcher
from magnetar_broker.subscription_type import KeySharing
from magnetar_ledger.position import Position

from tests.broker.consuming import (
    TOPIC,
    FakeClock,
    LoopScope,
    MemoryLog,
    consumer,
    link_of,
    payload,
)
from tests.broker.dispatching import (
    DispatcherSetup,
    check_the_limit_of_the_broker,
    entry_ids,
)


class Setup(DispatcherSetup):
    def __init__(
        self,
        log: MemoryLog | None = None,
        *,
        scope: Any = None,
        sharing: KeySharing | None = None,
        **limits: Any,
    ) -> None:
        super().__init__(log, scope=scope, **limits)
        self.dispatcher = KeySharedDispatcher(
            TOPIC,
            self.log,  # type: ignore[arg-type]
            self.cursor,
            self.context,
            sharing or KeySharing(),
        )


# With consumers "b" and "c", as recorded of Pulsar: c has k0, k4, k5 and b has k1, k2, k3.


def test_entries_go_to_the_owner_of_their_key() -> None:
    setup = Setup()
    b, c = setup.attach("b", permits=100), setup.attach("c", permits=100)
    setup.add(*(payload(n, key=f"k{n % 6}") for n in range(12)))
    assert entry_ids(b) == [1, 2, 3, 7, 8, 9]
    assert entry_ids(c) == [0, 4, 5, 6, 10, 11]
    assert (b.permits, c.unacked) == (94, 6)


def test_a_consumer_without_permits_does_not_hold_up_the_others() -> None:
    setup = Setup()
    b, c = setup.attach("b", permits=1), setup.attach("c", permits=100)
    setup.add(*(payload(n, key=f"k{n % 2}") for n in range(8)))
    assert entry_ids(b) == [1]
    assert entry_ids(c) == [0, 2, 4, 6]
    setup.dispatcher.flow(b, 2)
    assert entry_ids(b) == [3, 5]
    setup.add(payload(8, key="k1"))
    setup.dispatcher.flow(b, 9)
    assert entry_ids(b) == [7, 8]


def test_batches_count_by_their_messages() -> None:
    setup = Setup()
    b = setup.attach("b", permits=4)
    setup.add(*(payload(n, batch=3, key="k1") for n in range(3)))
    assert entry_ids(b) == [0, 1]
    assert b.permits == -2


def test_a_key_that_moved_waits_for_what_its_first_consumer_holds() -> None:
    setup = Setup()
    b = setup.attach("b", permits=100)
    setup.add(payload(0, key="k0"), payload(1, key="k1"))
    c = setup.attach("c", permits=100)
    setup.add(payload(2, key="k0"), payload(3, key="k1"), payload(4, key="k4"))
    assert entry_ids(b) == [0, 1, 3]
    assert entry_ids(c) == [4]
    setup.ack(b, 0)
    assert entry_ids(c) == [2]


def test_looking_ahead_has_a_bound_and_goes_on_when_there_is_room_again() -> None:
    setup = Setup(key_shared_look_ahead_per_consumer=2)
    b, c = setup.attach("b", permits=1), setup.attach("c", permits=100)
    setup.add(*(payload(n, key="k1") for n in range(8)), payload(8, key="k0"))
    assert entry_ids(b) == [0]
    assert len(setup.dispatcher.core.replay) == 4
    assert entry_ids(c) == []
    setup.dispatcher.flow(b, 4)
    assert entry_ids(b) == [1, 2, 3, 4]
    assert entry_ids(c) == [8]


def test_a_newcomer_lets_the_others_look_further_ahead() -> None:
    setup = Setup(sharing=KeySharing(sticky=True), key_shared_look_ahead_per_consumer=2)
    low = setup.attach("low", permits=9, hash_ranges=[(0, 40_000)])
    setup.add(*[payload(0, key="k3")] * 3, payload(0, key="k0"))
    assert entry_ids(low) == []
    setup.attach("other", hash_ranges=[(40_001, 40_002)])
    assert entry_ids(low) == [3]


def test_an_entry_that_nobody_may_have_is_neither_sent_nor_looked_at_again() -> None:
    setup = Setup(sharing=KeySharing(sticky=True))
    low = setup.attach("low", permits=100, hash_ranges=[(0, 40_000)])
    setup.add(*(payload(n, key=f"k{n}") for n in range(4)))
    assert entry_ids(low) == [0, 1, 2]
    setup.dispatcher.flow(low, 1)
    assert setup.timers.run_soon() == 0
    high = setup.attach("high", permits=1, hash_ranges=[(40_001, 65_535)])
    assert entry_ids(high) == [3]


def test_what_is_acked_before_it_is_sent_is_passed_over() -> None:
    setup = Setup()
    b = setup.attach("b")
    setup.add(*(payload(n, key="k1") for n in range(4)))
    setup.ack(b, 1)
    setup.dispatcher.flow(b, 1)
    setup.ack(b, 2)
    setup.dispatcher.flow(b, 9)
    assert entry_ids(b) == [0, 3]


def test_a_redelivery_is_counted_and_goes_to_the_owner() -> None:
    setup = Setup()
    b, c = setup.attach("b", permits=100), setup.attach("c", permits=100)
    setup.add(payload(0, key="k0"), payload(1, key="k1"))
    link_of(b).sent.clear()
    link_of(c).sent.clear()
    setup.dispatcher.redeliver(b, None)
    setup.dispatcher.redeliver(c, [Position(1, 0)])
    assert [one.redelivery_count for one in link_of(c).messages()] == [1]
    assert entry_ids(b) == [1]


def test_a_waiting_entry_whose_ledger_was_trimmed_is_dropped() -> None:
    setup = Setup()
    b, c = setup.attach("b"), setup.attach("c", permits=9)
    setup.add(payload(0, key="k1"), payload(1, key="k0"))
    assert entry_ids(c) == [1]
    setup.log.roll_over()
    setup.log.add(payload(2, key="k1"))
    setup.log.trim()
    setup.log.cache.evict_before(Position(2, 0))
    setup.dispatcher.flow(b, 5)
    assert link_of(b).entries() == [(2, 0)]
    assert len(setup.dispatcher.core.replay) == 0


def test_entries_of_unknown_key_are_read_before_anything_new_is_sent() -> None:
    setup = Setup()
    b = setup.attach("b")
    setup.log.add(*(payload(n, key="k1") for n in range(2)))
    setup.log.roll_over()
    setup.log.add(*(payload(n, key="k1") for n in range(3)))
    setup.log.trim()
    replay = setup.dispatcher.core.replay
    for position in ((1, 1), (2, 1)):
        replay.add(*position)
    setup.dispatcher._feed.seek(Position(2, 2))
    setup.dispatcher.flow(b, 9)
    assert link_of(b).entries() == [(2, 1), (2, 2)]
    assert len(replay) == 0


def test_a_delayed_entry_goes_to_the_owner_of_its_key_when_it_is_due() -> None:
    setup = Setup()
    b, c = setup.attach("b", permits=9), setup.attach("c", permits=9)
    now_ms = FakeClock().now_ms
    setup.add(payload(0, key="k0", deliver_at_ms=now_ms + 5_000), payload(1, key="k0"))
    assert entry_ids(c) == [1]
    setup.context.clock.now_ms += 5_000  # type: ignore[attr-defined]
    setup.timers.fire()
    assert (entry_ids(b), entry_ids(c)) == ([], [0])
    setup.ack(c, 0)
    assert setup.dispatcher.core.replay.hash_of(1, 0) is None


def test_delayed_entries_come_in_time_while_another_key_is_blocked() -> None:
    setup = Setup(delayed_delivery_strict=True)
    setup.attach("b")
    c = setup.attach("c", permits=9)
    clock: Any = setup.context.clock
    setup.add(payload(0, key="k1"))  # waits for permits of b
    delays_ms = (1_000, 5_000)
    setup.add(*(payload(0, key="k0", deliver_at_ms=clock.now_ms + each) for each in delays_ms))
    seen = []
    for _ in range(6):
        clock.now_ms += 1_000
        setup.timers.fire()
        while setup.timers.run_soon():
            pass
        seen.append(entry_ids(c))
    assert seen == [[1], [], [], [], [2], []]


async def test_entries_that_went_leave_those_that_a_consumer_holds() -> None:
    scope = LoopScope()
    setup = Setup(MemoryLog(cached=False), scope=scope)
    b, c = setup.attach("b"), setup.attach("c", permits=9)
    setup.add(payload(0, key="k1"), payload(1, key="k0"))
    await scope.settle()
    assert entry_ids(c) == [1]
    setup.log.roll_over()
    setup.add(payload(2, key="k0"))
    await scope.settle()
    assert entry_ids(c) == [0]
    setup.cursor.ack_cumulative(setup.log.last_position)  # as an admin who skips all
    setup.log.trim()
    setup.dispatcher.flow(b, 9)
    await scope.settle()
    assert len(setup.dispatcher.core.replay) == 0
    setup.ack(c, 1)
    setup.dispatcher.remove(c)


async def test_waiting_entries_are_read_from_storage_in_one_sweep() -> None:
    log = MemoryLog(cached=False)
    log.add(*(payload(n, key=f"k{n % 2}") for n in range(60)))
    scope = LoopScope()
    setup = Setup(log, scope=scope)
    b, c = setup.attach("b", permits=60), setup.attach("c", permits=60)
    await scope.settle()
    assert len(entry_ids(b)) == len(entry_ids(c)) == 30
    log.reads.clear()
    setup.dispatcher.redeliver(b, None)
    setup.dispatcher.redeliver(c, None)
    setup.dispatcher.flow(b, 60)
    await scope.settle()
    assert entry_ids(b) == list(range(1, 60, 2))
    assert entry_ids(c) == list(range(0, 60, 2))
    assert len(log.reads) <= 2


def test_a_long_turn_is_cut() -> None:
    entry = payload(0, key="k")
    setup = Setup(turn_max_bytes=20 * (len(entry) + LEAST_CHARGE_BYTES), read_max_entries=10)
    setup.log.add(*[entry] * 50)
    one = setup.attach("b", permits=100)
    assert len(entry_ids(one)) == 20
    setup.dispatcher.dispatch()
    assert entry_ids(one) == []
    while setup.timers.run_soon():
        pass
    assert len(entry_ids(one)) == 30


def test_many_that_wait_do_not_hold_up_the_loop_when_a_consumer_comes() -> None:
    """Nothing is sent before all have found their places, some in each turn of the loop."""
    setup = Setup(key_shared_look_ahead_per_consumer=10_000)
    setup.attach("a")
    b = setup.attach("b", permits=10_000)
    setup.add(*(payload(n, key=f"k{n}") for n in range(4_000)))
    while setup.timers.run_soon():
        pass
    waiting = len(setup.dispatcher.core.replay)
    assert waiting > 1_500
    entry_ids(b)
    c = setup.attach("c", permits=10_000)
    turns = 0
    while not setup.dispatcher.core.replay.arranged:
        assert entry_ids(b) == entry_ids(c) == []
        assert setup.timers.run_soon()
        turns += 1
    assert turns >= waiting // 512
    while setup.timers.run_soon():
        pass
    arrived = entry_ids(c)
    assert arrived == sorted(arrived)
    assert len(arrived) > 100


def test_the_limit_of_the_broker_holds_back_who_holds_much() -> None:
    check_the_limit_of_the_broker(Setup)


def test_sticky_consumers_have_a_rival_if_they_name_the_same() -> None:
    setup = Setup(sharing=KeySharing(sticky=True))
    one = setup.attach("a", hash_ranges=[(0, 9)])
    assert setup.dispatcher.rival_of(consumer("b", hash_ranges=[(9, 10)])) is one
    assert setup.dispatcher.rival_of(consumer("b", hash_ranges=[(10, 10)])) is None


KEYS = 6


class KeySharedFlow(RuleBasedStateMachine):
    """A whole dispatcher with a real cursor under churn: what clients receive is the model."""

    @initialize(
        ring=st.booleans(),
        unacked=st.sampled_from([0, 4]),
        look_ahead=st.sampled_from([2, 100]),
        out_of_order=st.integers(0, 3),
    )
    def begin(self, ring: bool, unacked: int, look_ahead: int, out_of_order: int) -> None:
        self.ordered = out_of_order > 0
        self.setup = Setup(
            sharing=KeySharing(out_of_order=not self.ordered),
            max_unacked_messages_per_consumer=unacked,
            key_shared_consistent_hashing=ring,
            key_shared_points_per_consumer=3,
            key_shared_look_ahead_per_consumer=look_ahead,
            turn_max_bytes=200,
        )
        self.keys: list[int] = []
        self.acked: set[int] = set()
        self.holder: dict[int, Consumer] = {}
        self.room: Counter[Consumer] = Counter()
        self.names = 0
        self.come(9)
        self.come(2)
        self.publish([n % KEYS for n in range(8)])

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(key_shared_dispatcher, "_ARRANGED_PER_TURN", 1)  # each in its own turn

    def teardown(self) -> None:
        self.patch.undo()

    @property
    def consumers(self) -> list[Consumer]:
        return list(self.setup.dispatcher.consumers)

    def pick(self, which: int) -> Consumer:
        return self.consumers[which % len(self.consumers)]

    @rule(keys=st.lists(st.integers(0, KEYS - 1), min_size=1, max_size=8))
    def publish(self, keys: list[int]) -> None:
        self.keys += keys
        self.setup.add(*(payload(n, key=f"k{key}") for n, key in enumerate(keys)))
        self.receive()

    @rule(permits=st.integers(0, 9))
    def come(self, permits: int) -> None:
        if len(self.consumers) < 4:
            self.names += 1
            one = self.setup.attach(f"c{self.names % 5}")
            self.receive()
            if permits:
                self.flow_to(one, permits)

    @precondition(lambda self: self.holder and len(self.consumers) < 4)
    @rule(which=st.integers(0, 99), turns=st.integers(0, 9), give_back=st.booleans())
    def come_while_others_act(self, which: int, turns: int, give_back: bool) -> None:
        self.names += 1
        self.room[self.setup.attach(f"c{self.names % 5}", permits=5)] += 5
        for _ in range(turns):
            self.setup.timers.run_soon()
        self.receive_some()
        entry = sorted(self.holder)[which % len(self.holder)]
        one = self.holder.pop(entry)
        if give_back:
            self.setup.dispatcher.redeliver(one, [Position(1, entry)])
        else:
            self.acked.add(entry)
            self.setup.ack(one, entry)
        self.receive()

    @precondition(lambda self: len(self.consumers) > 1)
    @rule(which=st.integers(0, 3))
    def go(self, which: int) -> None:
        one = self.pick(which)
        self.forget(one)
        self.setup.dispatcher.remove(one)
        self.receive()

    @rule(permits=st.integers(1, 9))
    def all_go_and_one_comes(self, permits: int) -> None:
        for one in self.consumers:
            self.setup.dispatcher.remove(one)
        self.holder.clear()
        self.come(permits)

    @rule(which=st.integers(0, 3), permits=st.integers(1, 8))
    def flow(self, which: int, permits: int) -> None:
        self.flow_to(self.pick(which), permits)

    def flow_to(self, one: Consumer, permits: int) -> None:
        self.room[one] += permits
        self.setup.dispatcher.flow(one, permits)
        self.receive()

    @precondition(lambda self: self.holder)
    @rule(which=st.integers(0, 99))
    def ack(self, which: int) -> None:
        entry = sorted(self.holder)[which % len(self.holder)]
        self.acked.add(entry)
        self.setup.ack(self.holder.pop(entry), entry)
        self.receive()

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 99))
    def ack_what_was_not_sent(self, which: int) -> None:
        entry = self.waiting[which % len(self.waiting)]
        self.acked.add(entry)
        self.setup.ack(self.consumers[0], entry)
        self.receive()

    @precondition(lambda self: self.holder)
    @rule(which=st.integers(0, 99), all_of_it=st.booleans())
    def give_back(self, which: int, all_of_it: bool) -> None:
        entry = sorted(self.holder)[which % len(self.holder)]
        one = self.holder[entry]
        if all_of_it:
            self.forget(one)
        else:
            del self.holder[entry]
        self.setup.dispatcher.redeliver(one, None if all_of_it else [Position(1, entry)])
        self.receive()

    @rule(which=st.integers(0, 3))
    def stop_or_go_on_taking_data(self, which: int) -> None:
        link = link_of(self.pick(which))
        link.writable = not link.writable
        if link.writable:
            self.setup.dispatcher.dispatch()
            self.receive()

    def forget(self, one: Consumer) -> None:
        self.holder = {entry: held for entry, held in self.holder.items() if held is not one}

    @property
    def waiting(self) -> list[int]:
        """What was published, is not acked and is with nobody."""
        return [
            entry
            for entry in range(len(self.keys))
            if entry not in self.acked and entry not in self.holder
        ]

    def receive(self) -> None:
        while self.setup.timers.run_soon():
            pass
        self.receive_some()

    def receive_some(self) -> None:
        arrived = [
            (message.message_id.entryId, one)
            for one in self.consumers
            for message in link_of(one).messages()
        ]
        for entry, one in arrived:
            assert entry not in self.holder, "it is with a consumer already"
            assert entry not in self.acked, "it was acked"
            assert self.room[one] > 0, "no permits were left"
            self.holder[entry] = one
            self.room[one] -= 1
        if self.ordered:
            self.check_order(arrived)

    def check_order(self, arrived: list[tuple[int, Consumer]]) -> None:
        """All before it of its key went the same way before, and nobody else holds any."""
        waiting = self.waiting
        for at, (entry, one) in enumerate(arrived):
            key = self.keys[entry]
            assert [w for w in waiting if w < entry and self.keys[w] == key] == []
            assert all(later > entry for later, _ in arrived[at + 1 :] if self.keys[later] == key)
            assert {self.holder[e] for e in self.holder if self.keys[e] == key} == {one}

    @invariant()
    def permits_are_what_clients_have_room_for(self) -> None:
        for one in self.consumers:
            assert one.permits + one.parked_permits == self.room[one]

    @invariant()
    def nothing_is_stuck(self) -> None:
        """An entry waits only for its consumer or for another's acks, unless too many wait."""
        core = self.setup.dispatcher.core
        for entry in self.waiting:
            if Position(1, entry) not in core.replay and core.look_ahead <= 0:
                continue
            if not any(map(core.has_room, core.consumers)):
                continue
            hash_ = self.setup.dispatcher._hash_of(payload(0, key=f"k{self.keys[entry]}"))
            owner = core.ranges.owner_of(hash_)
            assert owner is not None
            holders = {self.holder[e] for e in self.holder if self.keys[e] == self.keys[entry]}
            drains = self.ordered and holders - {owner}
            assert drains or not core.has_room(owner)

    @invariant()
    def nothing_is_remembered_of_what_is_gone(self) -> None:
        core = self.setup.dispatcher.core
        known = {entry for entries in core.replay._hashes.values() for entry in entries}
        waiting = {position.entry_id for position in core.replay}
        assert known == set(self.holder) | waiting
        assert waiting <= set(self.waiting)


KeySharedFlow.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestKeySharedFlow = KeySharedFlow.TestCase
