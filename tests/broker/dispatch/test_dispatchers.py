"""Each kind of subscription has a dispatcher of its own."""

from typing import Any

import pytest
from magnetar_broker.dispatch.dispatchers import new_dispatcher
from magnetar_broker.dispatch.key_shared_dispatcher import KeySharedDispatcher
from magnetar_broker.dispatch.non_persistent import (
    NonPersistentDispatcher,
    NonPersistentKeySharedDispatcher,
    NonPersistentSharedDispatcher,
    NonPersistentSingleActiveDispatcher,
)
from magnetar_broker.dispatch.shared_dispatcher import SharedDispatcher
from magnetar_broker.dispatch.single_active_dispatcher import SingleActiveDispatcher
from magnetar_broker.subscription_type import KeySharing, SubscriptionType
from magnetar_broker.volatile import VolatileCursor, VolatileLedger
from magnetar_ledger.position import EARLIEST

from tests.broker.consuming import (
    TOPIC,
    LoopScope,
    MemoryLog,
    Timers,
    consumer,
    context,
    link_of,
    payload,
)

KINDS = [
    (SubscriptionType.EXCLUSIVE, SingleActiveDispatcher, NonPersistentSingleActiveDispatcher),
    (SubscriptionType.FAILOVER, SingleActiveDispatcher, NonPersistentSingleActiveDispatcher),
    (SubscriptionType.SHARED, SharedDispatcher, NonPersistentSharedDispatcher),
    (SubscriptionType.KEY_SHARED, KeySharedDispatcher, NonPersistentKeySharedDispatcher),
]


@pytest.mark.parametrize(("kind", "of_entries", "of_none"), KINDS)
async def test_by_kind_of_subscription_and_of_topic(
    kind: SubscriptionType, of_entries: type[Any], of_none: type[Any]
) -> None:
    log: Any = MemoryLog()
    cursor = await log.open_cursor("s", log.first_position)
    shared = context(Timers(), LoopScope())
    assert type(new_dispatcher(TOPIC, log, cursor, shared, kind, KeySharing())) is of_entries
    volatile = VolatileLedger(1)
    none = VolatileCursor("s")
    assert type(new_dispatcher(TOPIC, volatile, none, shared, kind, KeySharing())) is of_none


@pytest.mark.parametrize("kind", list(SubscriptionType))
@pytest.mark.parametrize("delays", [True, False])
async def test_markers_are_acked_and_go_to_nobody(kind: SubscriptionType, *, delays: bool) -> None:
    log: Any = MemoryLog()
    cursor = await log.open_cursor("s", EARLIEST)
    limits = context(Timers(), LoopScope(), failover_delay_ms=0, delayed_delivery_enabled=delays)
    dispatcher = new_dispatcher(TOPIC, log, cursor, limits, kind, KeySharing())
    one = consumer(kind=kind)
    dispatcher.add(one)
    dispatcher.flow(one, 10)
    markers = {0, 2, 3, 5}
    log.add(*(payload(n, key="k", marker=21 if n in markers else None) for n in range(6)))
    dispatcher.dispatch()
    assert link_of(one).entries() == [(1, 1), (1, 4)]
    assert one.permits == 8
    assert cursor.backlog_entries == 2
    dispatcher.redeliver(one, None)
    assert link_of(one).entries() == [(1, 1), (1, 4)]


@pytest.mark.parametrize("kind", list(SubscriptionType))
def test_markers_of_non_persistent_topics_go_to_nobody(kind: SubscriptionType) -> None:
    ledger = VolatileLedger(1)
    limits = context(Timers(), LoopScope())
    dispatcher = new_dispatcher(TOPIC, ledger, VolatileCursor("s"), limits, kind, KeySharing())
    one = consumer(kind=kind)
    dispatcher.add(one)
    dispatcher.flow(one, 10)
    ledger.payloads = [payload(n, key="k", marker=0 if n % 2 else None) for n in range(4)]
    dispatcher.dispatch()
    assert link_of(one).entries() == [(1, 0), (1, 2)]
    assert one.permits == 8
    assert isinstance(dispatcher, NonPersistentDispatcher)
    assert dispatcher.messages_dropped == 0
