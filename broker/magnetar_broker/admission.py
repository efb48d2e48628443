"""Which consumers go together on a subscription, and what happens to those that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magnetar_broker.dispatch.key_shared_dispatcher import KeySharedDispatcher
from magnetar_broker.dispatch.non_persistent import NonPersistentKeySharedDispatcher
from magnetar_broker.errors import ConsumerAssignFailedError, ConsumerBusyError
from magnetar_broker.subscription_type import SubscriptionType

if TYPE_CHECKING:
    from magnetar_broker.consumer import Consumer
    from magnetar_broker.dispatch.dispatcher import Dispatcher
    from magnetar_broker.subscription import Subscription


def check_room(subscription: Subscription) -> None:
    """Whether subscription and topic may have one consumer more.

    Raises:
        ConsumerBusyError: They have as many as they may.
    """
    limits, topic = subscription.context.limits, subscription.topic
    most = limits.max_consumers_per_subscription
    if most and len(subscription.consumers) >= most:
        raise ConsumerBusyError(
            f"Subscription {subscription.name} has {most} consumers, its maximum"
        )
    most = limits.max_consumers_per_topic
    if most and sum(len(each.consumers) for each in topic.subscriptions.values()) >= most:
        raise ConsumerBusyError(f"Topic {topic.name} has {most} consumers, its maximum")


def rival_of(
    subscription: Subscription, dispatcher: Dispatcher, newcomer: Consumer
) -> Consumer | None:
    """The consumer that has the subscription, or hashes of the newcomer, for itself.

    Raises:
        ConsumerBusyError: The consumers that are attached are of another type, or share keys in
            another way.
    """
    if newcomer.options.type is not subscription.type:
        raise ConsumerBusyError(
            f"Subscription {subscription.name} has {subscription.type.label} consumers, so it "
            f"takes no {newcomer.options.type.label} one"
        )
    if isinstance(dispatcher, KeySharedDispatcher | NonPersistentKeySharedDispatcher):
        if newcomer.options.sharing != subscription.sharing:
            raise ConsumerBusyError(
                f"Subscription {subscription.name} has Key_Shared consumers of mode "
                f"{subscription.sharing.label} that share keys in another way"
            )
        return dispatcher.rival_of(newcomer)
    alone = subscription.type is SubscriptionType.EXCLUSIVE
    return dispatcher.consumers[0] if alone else None


async def contest(subscription: Subscription, holder: Consumer, newcomer: Consumer) -> None:
    """Ask the client of a rival whether it lives: a client that restarts quickly meets its own
    former connection, which may be dead without anybody having noticed.

    Returns if it is dead.

    Raises:
        ConsumerBusyError: The rival is alive, and has the subscription for itself.
        ConsumerAssignFailedError: The rival is alive, and has hashes that the newcomer names.
    """
    if holder.link is not newcomer.link and not await holder.link.check_alive():
        return
    if subscription.type is SubscriptionType.KEY_SHARED:
        raise ConsumerAssignFailedError(
            f"Consumer {holder.name} of {subscription.name} has some of these hashes"
        )
    raise ConsumerBusyError(f"Exclusive consumer is already connected to {subscription.name}")
