"""A dispatcher over a log in memory: what the tests of all kinds do with it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from magnetar_broker.consumer import Consumer
from magnetar_broker.subscription_type import SubscriptionType
from magnetar_broker.unacked_budget import UnackedBudget
from magnetar_ledger.position import EARLIEST, Position

from tests.broker.consuming import MemoryLog, Timers, consumer, context, link_of, payload


class DispatcherSetup:
    """The parts of a dispatcher. Each kind sets `dispatcher`, and the type of its consumers."""

    dispatcher: Any
    subscription_type = SubscriptionType.SHARED

    def __init__(self, log: MemoryLog | None = None, *, scope: Any = None, **limits: Any) -> None:
        self.log = log if log is not None else MemoryLog()
        self.timers = Timers()
        self.cursor = self.log.open_transient_cursor("s", EARLIEST)
        scopes = (scope,) if scope else ()
        budget = limits.pop("unacked_budget", None)
        self.context = context(self.timers, *scopes, **limits)
        if budget is not None:
            self.context = replace(self.context, unacked_budget=budget)

    def attach(self, name: str = "a", permits: int = 0, **fields: Any) -> Consumer:
        one = consumer(name, self.subscription_type, **fields)
        self.dispatcher.add(one)
        if permits:
            self.dispatcher.flow(one, permits)
        return one

    def add(self, *payloads: bytes) -> None:
        self.log.add(*payloads)
        self.dispatcher.dispatch()

    def ack(self, one: Consumer, entry_id: int) -> None:
        self.cursor.ack_individual(Position(1, entry_id))
        self.dispatcher.acked(one, Position(1, entry_id), 0)
        self.dispatcher.acks_done()


def entry_ids(one: Consumer) -> list[int]:
    return [entry_id for _, entry_id in link_of(one).entries()]


def check_the_limit_of_the_broker(setup: Callable[..., Any]) -> None:
    """It holds back the dispatcher whose consumers hold much, and lets the other go on."""
    budget = UnackedBudget(10, 0.4)
    busy, quiet = setup(unacked_budget=budget), setup(unacked_budget=budget)
    one, other = busy.attach("a", permits=8), quiet.attach("b", permits=9)
    busy.add(*(payload(n, key="k") for n in range(12)))
    quiet.add(*(payload(n, key="k") for n in range(2)))
    assert (len(entry_ids(one)), len(entry_ids(other))) == (8, 2)
    assert (busy.dispatcher.core.held_back, quiet.dispatcher.core.held_back) == (True, False)
    busy.dispatcher.flow(one, 100)
    assert entry_ids(one) == []
    for entry_id in range(6):
        busy.ack(one, entry_id)
    while busy.timers.run_soon():
        pass
    assert entry_ids(one) == [8, 9, 10, 11]
    busy.dispatcher.remove(one)
    busy.dispatcher.close()
    assert budget.unacked == 2
    quiet.dispatcher.remove(other)
    assert budget.unacked == 0
