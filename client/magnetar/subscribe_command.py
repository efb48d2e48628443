"""The command that subscribes: what the options of a consumer are on the wire."""

from typing import Any, cast

from magnetar_proto import pulsar_api_pb2 as api

from magnetar.consumer_options import ConsumerOptions
from magnetar.message_id import MessageId, fill
from magnetar.types import ConsumerKeySharedPolicy, KeySharedMode


def subscribe_command(
    topic: str,
    consumer_id: int,
    options: ConsumerOptions,
    schema: api.Schema | None,
    *,
    epoch: int,
    start: MessageId | None,
) -> api.CommandSubscribe:
    """The command without the id of its request.

    Args:
        epoch: of redeliveries of all that is not acknowledged; what is of an earlier one is old.
        start: where a subscription that is not durable begins.
    """
    command = api.CommandSubscribe(
        topic=topic,
        subscription=options.subscription_name,
        subType=cast(Any, int(options.consumer_type)),
        consumer_id=consumer_id,
        priority_level=options.priority_level,
        durable=options.durable,
        read_compacted=options.is_read_compacted,
        initialPosition=cast(Any, int(options.initial_position)),
        consumer_epoch=epoch,
    )
    if options.consumer_name is not None:
        command.consumer_name = options.consumer_name
    if options.replicate_subscription_state_enabled:
        command.replicate_subscription_state = True
    if not options.durable and start is not None:
        fill(command.start_message_id, start)
    for key, value in (options.properties or {}).items():
        command.metadata.add(key=key, value=value)
    for key, value in (options.subscription_properties or {}).items():
        command.subscription_properties.add(key=key, value=value)
    if schema is not None:
        command.schema.CopyFrom(schema)
    if options.key_shared_policy is not None:
        _share_keys(command.keySharedMeta, options.key_shared_policy)
    return command


def _share_keys(meta: api.KeySharedMeta, policy: ConsumerKeySharedPolicy) -> None:
    sticky = policy.key_shared_mode == KeySharedMode.Sticky
    meta.keySharedMode = api.STICKY if sticky else api.AUTO_SPLIT
    meta.allowOutOfOrderDelivery = policy.allow_out_of_order_delivery
    for first, last in policy.sticky_ranges or ():
        meta.hashRanges.add(start=first, end=last)
