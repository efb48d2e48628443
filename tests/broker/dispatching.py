"""A dispatcher over a log in memory: what the tests of all kinds do with it."""

from dataclasses import replace
from typing import Any

from magnetar_broker.consumer import Consumer
from magnetar_broker.subscription_type import SubscriptionType
from magnetar_ledger.position import EARLIEST, Position

from tests.broker.consuming import MemoryLog, Timers, consumer, context, link_of


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
