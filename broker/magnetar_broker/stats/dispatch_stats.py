"""What only some kinds of subscriptions have to tell of their dispatchers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magnetar_broker.dispatch.key_shared_dispatcher import KeySharedDispatcher
from magnetar_broker.dispatch.non_persistent import (
    NonPersistentKeySharedDispatcher,
    NonPersistentSingleActiveDispatcher,
)
from magnetar_broker.dispatch.single_active_dispatcher import SingleActiveDispatcher
from magnetar_broker.subscription_type import HashRange

if TYPE_CHECKING:
    from magnetar_broker.consumer import Consumer
    from magnetar_broker.dispatch.dispatcher import Dispatcher


def active_consumer(dispatcher: Dispatcher | None) -> Consumer | None:
    """The one that gets all messages; None if there is none, or no such rule."""
    single = SingleActiveDispatcher | NonPersistentSingleActiveDispatcher
    return dispatcher.active if isinstance(dispatcher, single) else None


def hash_ranges(dispatcher: Dispatcher | None, consumer: Consumer) -> list[HashRange]:
    """The hashes that a Key_Shared consumer has."""
    keyed = KeySharedDispatcher | NonPersistentKeySharedDispatcher
    return dispatcher.ranges.ranges_of(consumer) if isinstance(dispatcher, keyed) else []
