"""Who gets what is being published, and what is counted as dropped."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_broker.consume_limits import ConsumeLimits
from magnetar_broker.consumer import Consumer
from magnetar_broker.dispatch.dispatcher import Dispatcher
from magnetar_broker.dispatch.dispatchers import new_dispatcher
from magnetar_broker.dispatch.non_persistent import (
    NonPersistentDispatcher,
    NonPersistentKeySharedDispatcher,
    NonPersistentSharedDispatcher,
    NonPersistentSingleActiveDispatcher,
)
from magnetar_broker.subscription_type import KeySharing, SubscriptionType
from magnetar_broker.volatile import VolatileCursor, VolatileLedger
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.consuming import TOPIC, consumer, context, link_of, payload


class Handing:
    """The sink of a ledger that has one subscription."""

    def __init__(self, ledger: VolatileLedger, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        ledger.sink = self  # type: ignore[assignment]

    def entries_appended(self, ledger_id: int, first_entry_id: int, count: int) -> None:
        self._dispatcher.dispatch()


def shared(ledger: VolatileLedger, share: int = 2) -> NonPersistentSharedDispatcher:
    limits = ConsumeLimits(round_robin_max_entries=share)
    dispatcher = NonPersistentSharedDispatcher(ledger, limits)
    Handing(ledger, dispatcher)
    return dispatcher


def attach(dispatcher: Dispatcher, name: str, permits: int) -> Consumer:
    one = consumer(name, SubscriptionType.SHARED)
    dispatcher.add(one)
    dispatcher.flow(one, permits)
    return one


def entry_ids(one: Consumer) -> list[int]:
    return [entry_id for _, entry_id in link_of(one).entries()]


def test_shared_takes_turns_within_permits() -> None:
    ledger = VolatileLedger(7)
    dispatcher = shared(ledger)
    first, second = attach(dispatcher, "a", 3), attach(dispatcher, "b", 10)
    ledger.add_all([payload(number) for number in range(8)])
    assert entry_ids(first) == [0, 1, 4]
    assert entry_ids(second) == [2, 3, 5, 6, 7]
    assert dispatcher.messages_dropped == 0
    assert (first.permits, second.permits) == (0, 5)


def test_batches_count_by_their_messages() -> None:
    ledger = VolatileLedger(7)
    dispatcher = shared(ledger, share=20)
    one = attach(dispatcher, "a", 4)
    ledger.add_all([payload(number, batch=3) for number in range(4)])
    assert entry_ids(one) == [0, 1]
    assert (one.permits, dispatcher.messages_dropped) == (-2, 6)


def test_connection_that_does_not_take_data_gets_none() -> None:
    ledger = VolatileLedger(7)
    dispatcher = shared(ledger)
    one = attach(dispatcher, "a", 10)
    link_of(one).writable = False
    ledger.add_all([payload(0)])
    assert (entry_ids(one), dispatcher.messages_dropped) == ([], 1)
    dispatcher.remove(one)
    ledger.add_all([payload(1)])
    assert dispatcher.messages_dropped == 2


def test_nothing_comes_again() -> None:
    ledger = VolatileLedger(7)
    dispatcher = shared(ledger)
    one = attach(dispatcher, "a", 10)
    ledger.add_all([payload(0)])
    dispatcher.redeliver(one, None)
    dispatcher.dispatch()
    assert entry_ids(one) == [0]


def test_key_shared_sends_to_the_owner_of_the_key_or_to_nobody() -> None:
    ledger = VolatileLedger(7)
    dispatcher = NonPersistentKeySharedDispatcher(ledger, ConsumeLimits(), KeySharing())
    Handing(ledger, dispatcher)
    b, c = attach(dispatcher, "b", 100), attach(dispatcher, "c", 1)
    ledger.add_all([payload(number, key=f"k{number}") for number in range(6)])
    assert (entry_ids(b), entry_ids(c)) == ([1, 2, 3], [0])
    assert dispatcher.messages_dropped == 2
    dispatcher.remove(c)
    ledger.add_all([payload(0, key="k0")])
    assert entry_ids(b) == [6]
    assert dispatcher.rival_of(c) is None


def test_failover_sends_to_the_active_one_and_tells_who_that_is() -> None:
    ledger = VolatileLedger(7)
    dispatcher = NonPersistentSingleActiveDispatcher(ledger, TOPIC.partition(0), failover=True)
    Handing(ledger, dispatcher)
    second = attach(dispatcher, "b", 10)
    first = attach(dispatcher, "a", 1)
    changes = [
        command.is_active
        for command in link_of(second).commands()
        if isinstance(command, api.CommandActiveConsumerChange)
    ]
    assert changes == [True, False]
    ledger.add_all([payload(0), payload(1)])
    assert (entry_ids(first), entry_ids(second)) == ([0], [])
    assert dispatcher.messages_dropped == 1
    dispatcher.remove(first)
    assert dispatcher.may_unsubscribe(second)
    ledger.add_all([payload(2)])
    assert entry_ids(second) == [2]


_FLOW = st.tuples(st.just("flow"), st.integers(0, 2), st.integers(1, 9))
_ENTRY = st.tuples(st.just("entry"), st.integers(0, 9), st.sampled_from([None, 1, 4]))
_MARKER = st.tuples(st.just("marker"), st.integers(0, 9), st.none())
_CUT = st.tuples(st.just("publish"), st.none(), st.none())


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(list(SubscriptionType)),
    steps=st.lists(_FLOW | _ENTRY | _MARKER | _CUT, max_size=40),
)
def test_permits_never_leak_and_every_message_is_sent_or_dropped(
    kind: SubscriptionType, steps: list[tuple[str, Any, Any]]
) -> None:
    ledger = VolatileLedger(7)
    dispatcher = new_dispatcher(TOPIC, ledger, VolatileCursor("s"), context(), kind, KeySharing())
    assert isinstance(dispatcher, NonPersistentDispatcher)
    Handing(ledger, dispatcher)
    consumers = [consumer(name, kind) for name in "abc"]
    for one in consumers:
        dispatcher.add(one)
    granted = dict.fromkeys(consumers, 0)
    chunk: list[bytes] = []
    published = 0
    for what, number, more in [*steps, ("publish", None, None)]:
        if what == "flow":
            granted[consumers[number]] += more
            dispatcher.flow(consumers[number], more)
        elif what == "publish":
            ledger.add_all(chunk)
            chunk = []
        else:
            marker = 21 if what == "marker" else None
            chunk.append(payload(0, key=f"k{number}", batch=more, marker=marker))
            published += 0 if marker else more or 1
        for one in consumers:
            assert one.permits == granted[one] - one.messages_out
    assert sum(one.messages_out for one in consumers) + dispatcher.messages_dropped == published
