"""SUBSCRIBE: what it asks for, whether that may be, and the way to a consumer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from magnetar_proto import pulsar_api_pb2 as api

from magnetar_broker import answers
from magnetar_broker.consume_answers import position_of
from magnetar_broker.consumer import Consumer, ConsumerOptions
from magnetar_broker.dispatch.hash_ranges import check_ranges
from magnetar_broker.errors import (
    BrokerError,
    NotAllowedError,
    ServiceNotReadyError,
)
from magnetar_broker.name_length import check_name_length
from magnetar_broker.subscribe import (
    SubscriptionOptions,
    check_subscription_name,
    open_subscription,
)
from magnetar_broker.subscription_type import HashRange, KeySharing, SubscriptionType
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    from magnetar_broker.connection import Connection
    from magnetar_broker.topic import Topic


def handle_subscribe(connection: Connection, subscribe: api.CommandSubscribe) -> None:
    """SUBSCRIBE: SUCCESS also if the consumer is there already (the client did not hear of it)."""
    consumer_id, request_id = subscribe.consumer_id, subscribe.request_id
    if consumer_id in connection.consumers:
        connection.send(answers.success(request_id))
        return
    try:
        if consumer_id in connection.subscribing:
            raise ServiceNotReadyError(f"Consumer {consumer_id} is being made already")
        name = TopicName.parse(subscribe.topic)
        options = consumer_options(subscribe)
    except BrokerError as error:
        connection.send_error(request_id, error)
        return
    consumer = Consumer(connection, options, connection.service.clock.wall_ms())
    connection.subscribing[consumer_id] = consumer
    connection.request(
        _subscribe(connection, subscribe, name, consumer),
        lambda error: connection.send_error(request_id, error),
        f"subscribe to {name}",
    )


def consumer_options(subscribe: api.CommandSubscribe) -> ConsumerOptions:
    """What the command says about the consumer.

    Raises:
        BrokerError: It asks for what is not allowed, or not built.
    """
    check_subscription_name(subscribe.subscription)
    check_name_length("consumer", subscribe.consumer_name, NotAllowedError)
    kind = SubscriptionType(subscribe.subType)
    if subscribe.read_compacted and kind in (
        SubscriptionType.SHARED,
        SubscriptionType.KEY_SHARED,
    ):
        raise NotAllowedError(
            f"Reading compacted goes with Exclusive and Failover, not with {kind.label}"
        )
    sharing = KeySharing()
    hash_ranges: Sequence[HashRange] = ()
    if kind is SubscriptionType.KEY_SHARED:
        sharing, hash_ranges = key_sharing(subscribe.keySharedMeta)
    return ConsumerOptions(
        consumer_id=subscribe.consumer_id,
        name=subscribe.consumer_name,
        type=kind,
        priority_level=subscribe.priority_level,
        epoch=subscribe.consumer_epoch if subscribe.HasField("consumer_epoch") else None,
        sharing=sharing,
        hash_ranges=hash_ranges,
        metadata={pair.key: pair.value for pair in subscribe.metadata},
    )


def key_sharing(meta: api.KeySharedMeta) -> tuple[KeySharing, Sequence[HashRange]]:
    """How a Key_Shared consumer shares keys, and the ranges of hashes that it names.

    Raises:
        ConsumerAssignFailedError: A sticky consumer names none, or ranges that overlap.
    """
    sticky = meta.keySharedMode == api.STICKY
    ranges = [(each.start, each.end) for each in meta.hashRanges] if sticky else []
    if sticky:
        check_ranges(ranges)
    return KeySharing(sticky=sticky, out_of_order=meta.allowOutOfOrderDelivery), ranges


def subscription_options(subscribe: api.CommandSubscribe, *, create: bool) -> SubscriptionOptions:
    """What the command says about the subscription."""
    start = None
    if subscribe.HasField("start_message_id"):
        start = position_of(subscribe.start_message_id)
    return SubscriptionOptions(
        name=subscribe.subscription,
        durable=subscribe.durable,
        earliest=subscribe.initialPosition == api.CommandSubscribe.Earliest,
        start=start,
        rollback_ms=subscribe.start_message_rollback_duration_sec * 1000,
        properties={pair.key: pair.value for pair in subscribe.subscription_properties},
        create=create,
    )


def _check_type(topic: Topic, kind: SubscriptionType) -> None:
    enabled = topic.policies.subscription_types
    if enabled and kind.label not in enabled:
        raise NotAllowedError(f"Topic[{topic.name}] doesn't support {kind.label} sub type!")


async def _subscribe(
    connection: Connection,
    subscribe: api.CommandSubscribe,
    name: TopicName,
    consumer: Consumer,
) -> None:
    consumer_id = consumer.consumer_id
    service = connection.service

    def accepted() -> None:
        connection.consumers[consumer_id] = consumer
        connection.send(answers.success(subscribe.request_id))

    try:
        if subscribe.read_compacted and not name.persistent:
            raise NotAllowedError("readCompacted only valid on persistent topics")
        key_shared = consumer.options.type is SubscriptionType.KEY_SHARED
        if key_shared and not service.config.consume.key_shared_enabled:
            raise NotAllowedError("Key_Shared is switched off (subscriptionKeySharedEnable)")
        topic = await service.topic(name, create=subscribe.force_topic_creation)
        _check_type(topic, consumer.options.type)
        options = subscription_options(subscribe, create=topic.policies.auto_subscriptions)
        subscription = await open_subscription(topic, options, topic.consume_context)
        await subscription.attach(
            consumer,
            still_wanted=lambda: connection.subscribing.get(consumer_id) is consumer,
            accepted=accepted,
        )
    finally:
        if connection.subscribing.get(consumer_id) is consumer:
            del connection.subscribing[consumer_id]
