"""The limit of unacked messages over all subscriptions, against a model that counts anew."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from magnetar_broker.unacked_budget import UnackedBudget


class Holder:
    """A subscription."""

    def __init__(self) -> None:
        self.unacked = 0
        self.held_back = False
        self.times_told = 0

    def go_on(self) -> None:
        assert not self.held_back
        self.times_told += 1


class World:
    def __init__(self, count: int, limit: int = 100, share: float = 0.2) -> None:
        self.budget = UnackedBudget(limit, share)
        self.holders = [Holder() for _ in range(count)]
        for each in self.holders:
            self.budget.join(each, each.go_on)

    def send(self, which: int, messages: int) -> None:
        holder = self.holders[which]
        holder.unacked += messages
        self.budget.sent(holder, messages)

    def ack(self, which: int, messages: int) -> None:
        holder = self.holders[which]
        holder.unacked -= messages
        self.budget.released(holder, messages)


def test_without_a_limit_nobody_need_join() -> None:
    assert not UnackedBudget().limited
    assert UnackedBudget(1).limited


def test_those_above_their_share_are_held_back() -> None:
    world = World(3)
    small, large, middle = world.holders
    world.send(0, 20)
    world.send(1, 60)
    assert not large.held_back
    world.send(2, 21)
    assert (small.held_back, large.held_back, middle.held_back) == (False, True, True)
    world.send(0, 1)
    assert small.held_back


def test_who_acks_goes_on_at_half_of_its_share() -> None:
    world = World(2)
    world.send(0, 80)
    world.send(1, 25)
    world.ack(1, 15)
    assert world.holders[1].held_back
    world.ack(1, 1)
    assert not world.holders[1].held_back
    assert world.holders[1].times_told == 1
    assert world.holders[0].held_back


def test_all_go_on_at_half_of_the_limit() -> None:
    world = World(2)
    world.send(0, 80)
    world.send(1, 25)
    world.ack(0, 55)
    assert world.budget.exceeded
    world.ack(0, 1)
    assert not world.budget.exceeded
    assert [each.times_told for each in world.holders] == [1, 1]
    world.send(1, 25)
    assert not world.holders[1].held_back


class Budgets(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World(3, limit=20)

    @rule(which=st.integers(0, 2), messages=st.integers(1, 15))
    def send(self, which: int, messages: int) -> None:
        if not self.world.holders[which].held_back:
            self.world.send(which, messages)

    @rule(which=st.integers(0, 2), messages=st.integers(1, 15))
    def ack(self, which: int, messages: int) -> None:
        self.world.ack(which, min(messages, self.world.holders[which].unacked))

    @invariant()
    def the_sum_is_that_of_all(self) -> None:
        budget = self.world.budget
        assert budget.unacked == sum(each.unacked for each in self.world.holders)
        assert budget.exceeded or budget.unacked < 20
        assert not budget.exceeded or budget.unacked >= 10

    @invariant()
    def nobody_is_stuck(self) -> None:
        """Who is held back holds enough for its own acks to free it."""
        for each in self.world.holders:
            assert not each.held_back or (self.world.budget.exceeded and each.unacked >= 2)


TestBudgets = Budgets.TestCase
