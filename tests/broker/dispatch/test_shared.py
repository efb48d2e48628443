from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from magnetar_broker.consume_limits import ConsumeLimits
from magnetar_broker.consumer import Consumer
from magnetar_broker.dispatch.shared import SharedCore
from magnetar_ledger.position import Position

from tests.broker.consuming import consumer, link_of


def core_with(*consumers: Consumer, **limits: Any) -> SharedCore:
    core = SharedCore(ConsumeLimits(**limits))
    for one in consumers:
        core.add(one)
        core.flow(one, 100)
    return core


def send(core: SharedCore, one: Consumer, entry_id: int, messages: int) -> None:
    one.charge(core.sent(one, 1, entry_id, (messages,)), 0)


def turns(core: SharedCore, count: int) -> list[str]:
    names = []
    for _ in range(count):
        one = core.next_consumer()
        assert one is not None
        core.turn_taken(one)
        names.append(one.name)
    return names


def test_consumers_take_turns() -> None:
    core = core_with(consumer("a"), consumer("b"), consumer("c"))
    assert turns(core, 5) == ["a", "b", "c", "a", "b"]


def test_a_better_priority_is_served_first_while_it_has_room() -> None:
    low, high = consumer("low", level=1), consumer("high", level=0)
    core = core_with(low, high)
    assert turns(core, 3) == ["high"] * 3
    high.permits = 0
    assert turns(core, 2) == ["low"] * 2
    high.permits = 1
    assert turns(core, 1) == ["high"]


def test_nobody_is_next_without_permits_or_a_writable_connection() -> None:
    one, other = consumer("a"), consumer("b")
    core = core_with(one, other)
    one.permits = 0
    link_of(other).writable = False
    assert core.next_consumer() is None


def test_a_leaving_consumer_does_not_cost_the_next_one_its_turn() -> None:
    a, b, c = consumer("a"), consumer("b"), consumer("c")
    core = core_with(a, b, c)
    assert turns(core, 2) == ["a", "b"]
    core.remove(b)
    assert turns(core, 2) == ["c", "a"]


def test_permits_count_messages_and_may_go_below_zero() -> None:
    one = consumer()
    core = core_with(one)
    send(core, one, 0, 130)
    assert one.permits == -30
    assert core.next_consumer() is None
    core.flow(one, 31)
    assert core.next_consumer() is one


def test_a_consumer_with_too_many_unacked_messages_waits_for_half_of_them() -> None:
    one = consumer()
    core = core_with(one, max_unacked_messages_per_consumer=4)
    for entry_id in range(4):
        send(core, one, entry_id, 1)
    core.flow(one, 7)
    assert (one.blocked, one.permits, one.parked_permits) == (True, 96, 7)
    assert core.next_consumer() is None
    core.acked(one, Position(1, 0), 0)
    assert one.blocked
    core.acked(one, Position(1, 3), 0)
    assert (one.blocked, one.permits, one.parked_permits) == (False, 103, 0)
    assert core.room_made
    assert core.next_consumer() is one


def test_a_subscription_with_too_many_unacked_messages_waits_for_less_than_half() -> None:
    one, other = consumer("a"), consumer("b")
    core = core_with(one, other, max_unacked_messages_per_subscription=4)
    for entry_id in range(4):
        send(core, one, entry_id, 1)
    assert core.next_consumer() is None
    core.acked(one, Position(1, 0), 0)
    core.acked(one, Position(1, 1), 0)
    assert core.next_consumer() is None
    core.acked(one, Position(1, 2), 0)
    assert core.next_consumer() is not None


def test_zero_means_no_limit_of_unacked_messages() -> None:
    one = consumer()
    core = core_with(
        one, max_unacked_messages_per_consumer=0, max_unacked_messages_per_subscription=0
    )
    send(core, one, 0, 99)
    assert core.next_consumer() is one


def test_an_ack_by_another_consumer_frees_the_holder() -> None:
    holder, acker = consumer("a"), consumer("b")
    core = core_with(holder, acker)
    send(core, holder, 0, 10)
    core.acked(acker, Position(1, 0), 4)
    assert (holder.unacked, acker.unacked, core.unacked) == (4, 0, 4)
    core.acked(acker, Position(1, 0), 0)
    assert (holder.unacked, core.unacked, holder.pending.entries) == (0, 0, 0)


def test_trap_10_only_what_the_consumer_holds_is_given_back_and_counted() -> None:
    one, other = consumer("a"), consumer("b")
    core = core_with(one, other)
    send(core, one, 0, 1)
    send(core, other, 1, 1)
    assert core.redeliver(one, [Position(1, 0), Position(1, 1), Position(9, 9)]) == 1
    assert core.replay.first_run(10) == (Position(1, 0), 1)
    assert (core.redeliveries.of(1, 0), core.redeliveries.of(1, 1)) == (1, 0)
    assert (one.unacked, other.unacked) == (0, 1)


def test_trap_10_without_ids_everything_that_is_held_is_given_back() -> None:
    one = consumer()
    core = core_with(one)
    for entry_id in range(5):
        send(core, one, entry_id, 1)
    assert core.redeliver(one, None) == 5
    assert core.replay.first_run(10) == (Position(1, 0), 5)


def test_trap_10_a_disconnect_gives_back_without_counting() -> None:
    one, other = consumer("a"), consumer("b")
    core = core_with(one, other)
    send(core, one, 0, 1)
    core.redeliver(one, None)
    core.replay.discard(1, 0)
    send(core, other, 0, 1)
    core.remove(other)
    assert core.redeliveries.of(1, 0) == 1
    assert Position(1, 0) in core.replay


def test_counts_outlive_the_last_consumer() -> None:
    """Apache Pulsar forgets them then, so a poison message goes round for ever."""
    one = consumer()
    core = core_with(one)
    send(core, one, 0, 1)
    core.redeliver(one, None)
    core.remove(one)
    assert core.redeliveries.of(1, 0) == 1
    assert len(core.replay) == 0


def test_an_ack_takes_an_entry_out_of_the_replay_queue() -> None:
    one = consumer()
    core = core_with(one)
    send(core, one, 0, 1)
    core.redeliver(one, None)
    core.acked(one, Position(1, 0), 0)
    assert len(core.replay) == 0
    assert len(core.redeliveries) == 0


class SharedChurn(RuleBasedStateMachine):
    """Consumers come and go, get, ack and give back; the model knows where each entry is."""

    @initialize(per_consumer=st.integers(0, 8), per_subscription=st.integers(0, 20))
    def begin(self, per_consumer: int, per_subscription: int) -> None:
        self.core = SharedCore(
            ConsumeLimits(
                max_unacked_messages_per_consumer=per_consumer,
                max_unacked_messages_per_subscription=per_subscription,
            )
        )
        self.next_entry = 0
        self.batch_sizes: dict[int, int] = {}
        self.held: dict[int, Consumer] = {}
        self.left: dict[int, int] = {}
        self.acked: set[int] = set()
        self.granted: dict[Consumer, int] = {}
        self.charged: dict[Consumer, int] = {}

    @rule(level=st.integers(0, 1))
    def come(self, level: int) -> None:
        if len(self.core.consumers) < 4:
            one = consumer(level=level)
            if not self.core.consumers:
                self.next_entry = min(self.unacked(), default=self.next_entry)
            self.core.add(one)
            self.granted[one] = self.charged[one] = 0

    @precondition(lambda self: self.core.consumers)
    @rule(which=st.integers(0, 3))
    def go(self, which: int) -> None:
        one = self.pick(which)
        self.core.remove(one)
        self.held = {entry: holder for entry, holder in self.held.items() if holder is not one}
        if not self.core.consumers:
            self.held.clear()

    @precondition(lambda self: self.core.consumers)
    @rule(which=st.integers(0, 3), permits=st.integers(1, 6))
    def flow(self, which: int, permits: int) -> None:
        one = self.pick(which)
        self.core.flow(one, permits)
        self.granted[one] += permits

    @rule(count=st.integers(1, 6), batch=st.integers(1, 3))
    def dispatch(self, count: int, batch: int) -> None:
        for _ in range(count):
            one = self.core.next_consumer()
            if one is None:
                return
            self.core.turn_taken(one)
            run = self.core.replay.first_run(1)
            if run is not None:
                entry = run[0].entry_id
                self.core.replay.discard(1, entry)
                assert entry not in self.acked
            else:
                entry = self.next_entry
                self.next_entry += 1
                if entry in self.acked:
                    continue
            assert entry not in self.held, "two consumers hold an entry"
            messages = self.left.setdefault(entry, batch)
            send(self.core, one, entry, messages)
            self.held[entry] = one
            self.charged[one] += messages

    @precondition(lambda self: self.core.consumers and self.left)
    @rule(which=st.integers(0, 3), entry=st.integers(0, 30), part=st.booleans())
    def ack(self, which: int, entry: int, part: bool) -> None:
        """Of any entry that was ever sent, by anybody, also twice."""
        entry = sorted(self.left)[entry % len(self.left)]
        remaining = max(self.left[entry] - 1, 0) if part else 0
        self.left[entry] = remaining
        self.core.acked(self.pick(which), Position(1, entry), remaining)
        if remaining == 0:
            self.acked.add(entry)
            self.held.pop(entry, None)

    @precondition(lambda self: self.core.consumers)
    @rule(which=st.integers(0, 3), some=st.booleans())
    def give_back(self, which: int, some: bool) -> None:
        one = self.pick(which)
        positions = [Position(1, entry) for entry in range(0, self.next_entry, 2)]
        self.core.redeliver(one, positions if some else None)
        for entry, holder in list(self.held.items()):
            if holder is one and (not some or entry % 2 == 0):
                del self.held[entry]

    def pick(self, which: int) -> Consumer:
        return self.core.consumers[which % len(self.core.consumers)]

    def unacked(self) -> list[int]:
        return [entry for entry in range(self.next_entry) if entry not in self.acked]

    @invariant()
    def every_entry_is_somewhere_once(self) -> None:
        if not self.core.consumers:
            return
        for entry in self.unacked():
            position = Position(1, entry)
            holders = [one for one in self.core.consumers if position in one.pending]
            places = len(holders) + (position in self.core.replay)
            assert places == 1, "an entry is stuck, or with two consumers"
            assert holders in ([], [self.held.get(entry)])

    @invariant()
    def permits_never_leak(self) -> None:
        for one in self.core.consumers:
            assert one.permits + one.parked_permits == self.granted[one] - self.charged[one]
            assert one.blocked or one.parked_permits == 0

    @invariant()
    def unacked_is_what_is_held(self) -> None:
        for one in self.core.consumers:
            mine = [entry for entry, holder in self.held.items() if holder is one]
            assert one.pending.entries == len(mine)
            assert one.unacked == sum(self.left[entry] for entry in mine)
        assert self.core.unacked == sum(one.unacked for one in self.core.consumers)

    @invariant()
    def only_those_with_too_much_are_blocked(self) -> None:
        limits = self.core._limits
        for one in self.core.consumers:
            if one.blocked:
                assert 2 * one.unacked > limits.max_unacked_messages_per_consumer > 0
        if self.core.blocked:
            assert 2 * self.core.unacked >= limits.max_unacked_messages_per_subscription > 0

    def teardown(self) -> None:
        """Whoever stays and acks gets everything that is left: nothing is stuck."""
        for one in list(self.core.consumers[1:]):
            self.core.remove(one)
        if not self.core.consumers:
            return
        last = self.core.consumers[0]
        for entry in self.unacked():
            self.core.acked(last, Position(1, entry), 0)
        self.core.flow(last, 1000)
        assert self.core.next_consumer() is last
        assert last.unacked == self.core.unacked == 0


SharedChurn.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestSharedChurn = SharedChurn.TestCase
