"""Which dispatcher serves which kind of subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magnetar_broker.consumer_link import ConsumeContext
from magnetar_broker.dispatch.dispatcher import Dispatcher
from magnetar_broker.dispatch.key_shared_dispatcher import KeySharedDispatcher
from magnetar_broker.dispatch.non_persistent import (
    NonPersistentKeySharedDispatcher,
    NonPersistentSharedDispatcher,
    NonPersistentSingleActiveDispatcher,
)
from magnetar_broker.dispatch.shared_dispatcher import SharedDispatcher
from magnetar_broker.dispatch.single_active_dispatcher import SingleActiveDispatcher
from magnetar_broker.subscription_type import KeySharing, SubscriptionType
from magnetar_broker.topic_name import TopicName
from magnetar_broker.volatile import VolatileCursor, VolatileLedger

if TYPE_CHECKING:
    from magnetar_ledger.managed import Cursor, ManagedLedger


def new_dispatcher(
    topic_name: TopicName,
    ledger: ManagedLedger | VolatileLedger,
    cursor: Cursor | VolatileCursor,
    context: ConsumeContext,
    type_: SubscriptionType,
    sharing: KeySharing,
) -> Dispatcher:
    """One without consumers.

    Args:
        sharing: Key_Shared only.
    """
    failover = type_ is SubscriptionType.FAILOVER
    if isinstance(ledger, VolatileLedger) or isinstance(cursor, VolatileCursor):
        assert isinstance(ledger, VolatileLedger)
        if type_ is SubscriptionType.SHARED:
            return NonPersistentSharedDispatcher(ledger, context.limits)
        if type_ is SubscriptionType.KEY_SHARED:
            return NonPersistentKeySharedDispatcher(ledger, context.limits, sharing)
        return NonPersistentSingleActiveDispatcher(ledger, topic_name, failover=failover)
    if type_ is SubscriptionType.SHARED:
        return SharedDispatcher(topic_name, ledger, cursor, context)
    if type_ is SubscriptionType.KEY_SHARED:
        return KeySharedDispatcher(topic_name, ledger, cursor, context, sharing)
    return SingleActiveDispatcher(topic_name, ledger, cursor, context, failover=failover)
