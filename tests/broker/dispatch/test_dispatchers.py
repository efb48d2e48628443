"""Each kind of subscription has a dispatcher of its own."""

from typing import Any

import pytest
from magnetar_broker.dispatch.dispatchers import new_dispatcher
from magnetar_broker.dispatch.key_shared_dispatcher import KeySharedDispatcher
from magnetar_broker.dispatch.non_persistent import (
    NonPersistentKeySharedDispatcher,
    NonPersistentSharedDispatcher,
    NonPersistentSingleActiveDispatcher,
)
from magnetar_broker.dispatch.shared_dispatcher import SharedDispatcher
from magnetar_broker.dispatch.single_active_dispatcher import SingleActiveDispatcher
from magnetar_broker.subscription_type import KeySharing, SubscriptionType
from magnetar_broker.volatile import VolatileCursor, VolatileLedger

from tests.broker.consuming import TOPIC, LoopScope, MemoryLog, Timers, context

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
