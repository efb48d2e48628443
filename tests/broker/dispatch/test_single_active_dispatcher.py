from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from magnetar_broker.consumer import Consumer
from magnetar_broker.dispatch.single_active_dispatcher import SingleActiveDispatcher
from magnetar_broker.subscription_type import SubscriptionType
from magnetar_ledger.position import Position
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.consuming import (
    TOPIC,
    FakeLink,
    LoopScope,
    MemoryLog,
    link_of,
    payload,
)
from tests.broker.dispatching import DispatcherSetup

EXCLUSIVE, FAILOVER = SubscriptionType.EXCLUSIVE, SubscriptionType.FAILOVER


class Setup(DispatcherSetup):
    """Of partition 0, so that the first name is active."""

    subscription_type = FAILOVER

    def __init__(
        self,
        log: MemoryLog | None = None,
        *,
        failover: bool = False,
        scope: Any = None,
        **limits: Any,
    ) -> None:
        super().__init__(log, scope=scope, **limits)
        self.dispatcher = SingleActiveDispatcher(
            TOPIC.partition(0),
            self.log,  # type: ignore[arg-type]
            self.cursor,
            self.context,
            failover=failover,
        )


def active_changes(one: Consumer) -> list[bool]:
    commands = link_of(one).commands()
    assert all(isinstance(command, api.CommandActiveConsumerChange) for command in commands)
    return [command.is_active for command in commands]


def test_entries_go_out_in_order_as_the_objects_that_were_published() -> None:
    setup = Setup()
    one = setup.attach(permits=10)
    entries = [payload(n) for n in range(3)]
    setup.add(*entries)
    sent = link_of(one).sent
    assert [part for part in sent if any(part is entry for entry in entries)] == entries
    assert link_of(one).entries() == [(1, 0), (1, 1), (1, 2)]
    assert (one.permits, one.messages_out, one.bytes_out) == (7, 3, sum(map(len, entries)))


def test_nothing_goes_out_without_permits() -> None:
    setup = Setup()
    one = setup.attach()
    setup.add(payload(0))
    assert link_of(one).entries() == []
    setup.dispatcher.flow(one, 1)
    assert link_of(one).entries() == [(1, 0)]


def test_trap_7_a_batch_costs_its_messages_and_may_overdraw() -> None:
    setup = Setup()
    one = setup.attach(permits=15)
    setup.add(*(payload(n, batch=10) for n in range(3)))
    assert link_of(one).entries() == [(1, 0), (1, 1)]
    assert one.permits == -5
    setup.dispatcher.flow(one, 5)
    assert link_of(one).entries() == []
    setup.dispatcher.flow(one, 1)
    assert link_of(one).entries() == [(1, 2)]
    assert one.messages_out == 30


def test_trap_7_acked_batch_indexes_are_masked_and_not_charged() -> None:
    setup = Setup()
    setup.log.add(payload(0, batch=10), payload(1, batch=10), payload(2))
    setup.cursor.ack_individual(Position(1, 0), [0b111], 10)
    setup.cursor.ack_individual(Position(1, 1))
    one = setup.attach(permits=100)
    messages = link_of(one).messages()
    assert [list(message.ack_set) for message in messages] == [[0b111], []]
    assert [message.message_id.entryId for message in messages] == [0, 2]
    assert one.permits == 96


def test_trap_10_giving_back_ignores_ids_and_rewinds_without_counting() -> None:
    setup = Setup()
    one = setup.attach(permits=100)
    setup.add(*(payload(n) for n in range(4)))
    link_of(one).sent.clear()
    setup.cursor.ack_cumulative(Position(1, 0))
    setup.cursor.ack_individual(Position(1, 2))
    setup.dispatcher.redeliver(one, [Position(1, 3)])
    messages = link_of(one).messages()
    assert [message.message_id.entryId for message in messages] == [1, 3]
    assert [message.redelivery_count for message in messages] == [0, 0]


def test_only_the_active_consumer_may_give_back() -> None:
    setup = Setup(failover=True)
    one, other = setup.attach("a", permits=9), setup.attach("b", permits=9)
    setup.add(payload(0))
    link_of(one).sent.clear()
    setup.dispatcher.redeliver(other, None)
    assert link_of(one).sent == []


def test_an_unwritable_connection_is_left_alone_until_it_resumes() -> None:
    setup = Setup()
    link = FakeLink()
    one = setup.attach(permits=100, link=link)
    link.writable = False
    setup.add(payload(0))
    assert link.sent == []
    link.writable = True
    setup.dispatcher.dispatch()
    assert link.entries() == [(1, 0)]
    assert one.permits == 99


def test_a_long_turn_is_cut_so_that_others_get_theirs() -> None:
    entry = payload(0)
    setup = Setup(turn_max_bytes=2 * len(entry), read_max_bytes=2 * len(entry))
    setup.log.add(*[entry] * 5)
    one = setup.attach(permits=100)
    assert len(link_of(one).entries()) == 2
    setup.dispatcher.dispatch()  # an append meanwhile: what was sent is not written yet
    assert link_of(one).entries() == []
    assert setup.timers.run_soon() == 1
    assert len(link_of(one).entries()) == 2
    setup.timers.run_soon()
    assert len(link_of(one).entries()) == 1
    assert setup.timers.run_soon() == 0


async def test_a_cold_backlog_is_sent_as_it_is_read() -> None:
    log = MemoryLog(cached=False)
    log.add(*(payload(n) for n in range(30)))
    scope = LoopScope()
    setup = Setup(log, scope=scope, read_max_entries=7)
    one = setup.attach(permits=25)
    await scope.settle(100)
    assert link_of(one).entries() == [(1, n) for n in range(25)]
    setup.dispatcher.flow(one, 25)
    await scope.settle()
    assert link_of(one).entries() == [(1, n) for n in range(25, 30)]
    assert setup.cursor.read_position == Position(1, 30)


async def test_a_read_is_dropped_when_its_consumer_left() -> None:
    log = MemoryLog(cached=False)
    log.add(payload(0))
    scope = LoopScope()
    setup = Setup(log, scope=scope)
    one = setup.attach(permits=5)
    setup.dispatcher.remove(one)
    await scope.settle()
    assert link_of(one).sent == []
    again = setup.attach("b", permits=5)
    await scope.settle()
    assert link_of(again).entries() == [(1, 0)]


def test_the_cursor_is_active_while_somebody_is_attached() -> None:
    setup = Setup()
    setup.cursor.active = False
    one = setup.attach()
    assert setup.cursor.active
    setup.dispatcher.remove(one)
    assert not setup.cursor.active


def test_failover_tells_all_on_a_change_and_a_newcomer_that_it_is_not_active() -> None:
    setup = Setup(failover=True, failover_delay_ms=0)
    b = setup.attach("b")
    assert active_changes(b) == [True]
    c = setup.attach("c")
    assert (active_changes(b), active_changes(c)) == ([], [False])
    a = setup.attach("a")
    assert [active_changes(one) for one in (a, b, c)] == [[True], [False], [False]]
    setup.dispatcher.remove(a)
    assert (active_changes(b), active_changes(c)) == ([True], [False])


def test_who_is_active_is_told_after_the_delay_who_is_not_at_once() -> None:
    setup = Setup(failover=True, failover_delay_ms=1500)
    setup.log.add(payload(0))
    b = setup.attach("b", permits=9)
    c = setup.attach("c", permits=9)
    assert active_changes(c) == [False]
    a = setup.attach("a", permits=9)
    assert (link_of(b).sent, link_of(a).sent) == ([], [])
    assert setup.timers.fire() == [1.5]
    assert (active_changes(b), active_changes(c)) == ([False], [False])
    change, message = link_of(a).commands()
    assert change.is_active
    assert message.message_id.entryId == 0


def test_exclusive_hears_nothing_of_being_active() -> None:
    setup = Setup()
    assert active_changes(setup.attach()) == []


def test_old_clients_hear_nothing_of_being_active() -> None:
    setup = Setup(failover=True, failover_delay_ms=0)
    assert active_changes(setup.attach(link=FakeLink(protocol_version=11))) == []


def test_who_displaces_another_waits_for_its_acks() -> None:
    setup = Setup(failover=True, failover_delay_ms=1500)
    b = setup.attach("b", permits=100)
    setup.timers.fire()
    setup.add(*(payload(n) for n in range(4)))
    assert len(link_of(b).messages()) == 4
    a = setup.attach("a", permits=100)
    setup.add(payload(4))
    setup.dispatcher.redeliver(a, None)
    assert link_of(a).messages() == []
    setup.cursor.ack_cumulative(Position(1, 2))  # was on its way
    assert setup.timers.fire() == [1.5]
    assert link_of(a).entries() == [(1, 3), (1, 4)]
    assert link_of(b).messages() == []


def test_who_follows_one_that_left_waits_too() -> None:
    setup = Setup(failover=True)
    a, b = setup.attach("a", permits=100), setup.attach("b", permits=100)
    setup.timers.fire()
    setup.add(payload(0))
    assert len(link_of(a).entries()) == 1
    link_of(b).sent.clear()
    setup.dispatcher.remove(a)
    assert link_of(b).sent == []
    assert setup.timers.fire() == [1.0]
    assert link_of(b).entries() == [(1, 0)]


def test_a_second_change_during_the_wait_keeps_the_first_end_of_it() -> None:
    setup = Setup(failover=True)
    c = setup.attach("c", permits=100)
    setup.add(payload(0))
    setup.attach("b", permits=100)
    a = setup.attach("a", permits=100)
    assert len(setup.timers.later) == 1
    setup.dispatcher.remove(c)
    link_of(a).sent.clear()
    setup.timers.fire()
    assert link_of(a).entries() == [(1, 0)]


def test_all_may_leave_during_the_wait() -> None:
    setup = Setup(failover=True)
    one, other = setup.attach("b", permits=9), setup.attach("a", permits=9)
    setup.dispatcher.remove(one)
    setup.dispatcher.remove(other)
    setup.timers.fire()
    last = setup.attach("x", permits=9)
    setup.add(payload(0))
    setup.timers.fire()
    assert (1, 0) in link_of(last).entries()


def test_a_closed_dispatcher_does_nothing_when_its_wait_ends() -> None:
    setup = Setup(failover=True)
    setup.attach("b", permits=9)
    a = setup.attach("a", permits=9)
    link_of(a).sent.clear()
    setup.dispatcher.close()
    setup.log.add(payload(0))
    setup.timers.fire()
    setup.dispatcher.dispatch()
    assert link_of(a).sent == []


@pytest.mark.parametrize("failover", [True, False])
def test_only_the_sole_active_consumer_may_unsubscribe(failover: bool) -> None:
    setup = Setup(failover=failover)
    one = setup.attach("a")
    assert setup.dispatcher.may_unsubscribe(one)
    if failover:
        other = setup.attach("b")
        assert not setup.dispatcher.may_unsubscribe(one)
        assert not setup.dispatcher.may_unsubscribe(other)


def test_an_ack_of_what_was_not_sent_yet_is_respected() -> None:
    setup = Setup()
    one = setup.attach(permits=1)
    setup.add(*(payload(n) for n in range(3)))
    setup.cursor.ack_individual(Position(1, 1))
    setup.dispatcher.acked(one, Position(1, 1), 0)
    setup.dispatcher.flow(one, 10)
    assert link_of(one).entries() == [(1, 0), (1, 2)]


class OrderedFlow(RuleBasedStateMachine):
    """A whole dispatcher with a real cursor under churn: what clients receive is the model.

    `next` is the entry that the active consumer gets next, unless it is acked: it goes back to the
    beginning whenever reading begins anew, and else never skips what is not acked.
    """

    @initialize(failover=st.booleans(), delay_ms=st.sampled_from([0, 1000]))
    def begin(self, failover: bool, delay_ms: int) -> None:
        self.failover = failover
        self.setup = Setup(failover=failover, failover_delay_ms=delay_ms, turn_max_bytes=200)
        self.batches: list[int] = []
        self.acked: set[int] = set()
        self.room: Counter[Consumer] = Counter()
        self.told: dict[Consumer, bool] = {}
        self.active: Consumer | None = None
        self.next = 0
        self.publish([1, 3, 1])
        self.come(1, 2, 0)

    @property
    def consumers(self) -> list[Consumer]:
        return list(self.setup.dispatcher.consumers)

    @property
    def waits(self) -> bool:
        return bool(self.setup.timers.later)

    def pick(self, which: int) -> Consumer | None:
        return self.consumers[which % len(self.consumers)] if self.consumers else None

    @rule(batches=st.lists(st.integers(1, 4), min_size=1, max_size=6))
    def publish(self, batches: list[int]) -> None:
        self.batches += batches
        self.setup.add(*(payload(n, batch=batch) for n, batch in enumerate(batches)))
        self.receive()

    @rule(name=st.integers(0, 5), permits=st.integers(0, 9), level=st.integers(0, 1))
    def come(self, name: int, permits: int, level: int) -> None:
        if len(self.consumers) < (4 if self.failover else 1):
            one = self.setup.attach(f"c{name}", level=level)
            self.receive()
            self.flow_to(one, permits)

    @rule(which=st.integers(0, 3))
    def go(self, which: int) -> None:
        if (one := self.pick(which)) is not None:
            self.setup.dispatcher.remove(one)
            self.told.pop(one, None)
            self.receive()

    @rule(which=st.integers(0, 3), permits=st.integers(1, 9))
    def flow(self, which: int, permits: int) -> None:
        if (one := self.pick(which)) is not None:
            self.flow_to(one, permits)

    def flow_to(self, one: Consumer, permits: int) -> None:
        self.room[one] += permits
        self.setup.dispatcher.flow(one, permits)
        self.receive()

    @rule(which=st.integers(0, 99), all_before=st.booleans())
    def ack(self, which: int, all_before: bool) -> None:
        entry = which % len(self.batches)
        position = Position(1, entry)
        if (one := self.pick(which)) is None:
            return
        if all_before:
            self.setup.cursor.ack_cumulative(position)
            self.acked |= set(range(entry + 1))
        else:
            self.setup.cursor.ack_individual(position)
            self.acked.add(entry)
        self.setup.dispatcher.acked(one, position, 0)
        self.setup.dispatcher.acks_done()
        self.receive()

    @rule(which=st.integers(0, 3))
    def give_back(self, which: int) -> None:
        if (one := self.pick(which)) is None:
            return
        if one is self.setup.dispatcher.active and not self.waits:
            self.next = 0
        self.setup.dispatcher.redeliver(one, None)
        self.receive()

    @rule()
    def time_goes_by(self) -> None:
        if self.setup.timers.fire():
            self.next = 0
            self.receive()

    def receive(self) -> None:
        while self.setup.timers.run_soon():
            pass
        active = self.setup.dispatcher.active
        if active is not self.active:
            self.active = active
            if not self.waits:
                self.next = 0
        for one in self.consumers:
            for command in link_of(one).commands():
                if isinstance(command, api.CommandActiveConsumerChange):
                    self.told[one] = command.is_active
                    continue
                assert one is active
                self.arrived(one, command.message_id.entryId)

    def arrived(self, one: Consumer, entry: int) -> None:
        assert not self.waits
        assert self.room[one] > 0, "no permits were left"
        assert entry >= self.next, "it came already"
        assert entry not in self.acked
        assert self.acked.issuperset(range(self.next, entry)), "one was passed by"
        self.next = entry + 1
        self.room[one] -= self.batches[entry]

    @invariant()
    def permits_are_what_clients_have_room_for(self) -> None:
        for one in self.consumers:
            assert one.permits == self.room[one]

    @invariant()
    def nothing_is_stuck(self) -> None:
        if self.active is not None and self.active.permits > 0 and not self.waits:
            assert self.acked.issuperset(range(self.next, len(self.batches)))

    @invariant()
    def each_knows_who_is_active(self) -> None:
        if self.failover and not self.waits:
            assert self.told == {one: one is self.active for one in self.consumers}
        elif not self.failover:
            assert self.told == {}


OrderedFlow.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestOrderedFlow = OrderedFlow.TestCase
