"""What only some kinds of subscriptions have to tell of their dispatchers."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from magnetar_broker.dispatch.key_shared_dispatcher import KeySharedDispatcher
from magnetar_broker.dispatch.non_persistent import (
    NonPersistentKeySharedDispatcher,
    NonPersistentSingleActiveDispatcher,
)
from magnetar_broker.dispatch.shared_dispatcher import SharedDispatcher
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


def entries_in_replay(dispatcher: Dispatcher | None) -> int:
    """Entries that were read and could not be sent, or were given back."""
    return len(dispatcher.core.replay) if isinstance(dispatcher, SharedDispatcher) else 0


def held_back(dispatcher: Dispatcher | None) -> bool:
    """Whether the broker's limit of unacked messages keeps it from sending."""
    return isinstance(dispatcher, SharedDispatcher) and dispatcher.core.held_back


def draining_stats(dispatcher: Dispatcher | None) -> dict[Consumer, dict[str, Any]]:
    """Of each consumer the hashes that went to another one and of which it holds entries still.

    The fields are those of PIP-379, of which `unackMsgs` counts entries. `blockedAttempts` counts
    each entry once, as an entry that is blocked is not tried again before it can be sent.
    """
    if dispatcher is None:
        return {}
    hashes: dict[Consumer, list[dict[str, int]]] = {each: [] for each in dispatcher.consumers}
    if isinstance(dispatcher, KeySharedDispatcher):
        for hash_, holder, entries, blocked in sorted(
            dispatcher.core.draining_hashes(), key=itemgetter(0)
        ):
            each = {"hash": hash_, "unackMsgs": entries, "blockedAttempts": blocked}
            hashes[holder].append(each)
    return {
        consumer: {
            "drainingHashesCount": len(drain),
            "drainingHashesClearedTotal": consumer.drained_hashes,
            "drainingHashesUnackedMessages": sum(each["unackMsgs"] for each in drain),
            "drainingHashes": drain,
        }
        for consumer, drain in hashes.items()
    }
