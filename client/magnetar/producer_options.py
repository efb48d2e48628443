"""What a producer is asked to be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from magnetar.errors import InvalidConfiguration
from magnetar.outgoing import MessageOptions
from magnetar.types import (
    BatchingType,
    CompressionType,
    PartitionsRoutingMode,
    ProducerAccessMode,
)

MessageRouter = Callable[[MessageOptions | None, int], int]
"""From what a message carries and the number of partitions to the index of one."""


class ProducerArguments(TypedDict, total=False):
    """More keyword arguments of `create_producer`; `ProducerOptions` explains them."""

    schema: Any
    initial_sequence_id: int | None
    send_timeout_millis: int
    compression_type: CompressionType
    max_pending_messages: int
    max_pending_messages_across_partitions: int
    block_if_queue_full: bool
    batching_enabled: bool
    batching_max_messages: int
    batching_max_allowed_size_in_bytes: int
    batching_max_publish_delay_ms: int
    chunking_enabled: bool
    message_routing_mode: PartitionsRoutingMode
    lazy_start_partitioned_producers: bool
    properties: Mapping[str, str] | None
    batching_type: BatchingType
    encryption_key: str | None
    crypto_key_reader: Any
    access_mode: ProducerAccessMode
    message_router: MessageRouter | None
    max_pending_bytes: int
    initial_subscription_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProducerOptions:
    """The keyword arguments of `create_producer`, with their defaults.

    Attributes:
        producer_name: unique among the topic's producers; made up by the broker if not given.
        schema: of the contents; without, they are bytes.
        initial_sequence_id: the last one that was used before.
        send_timeout_millis: for a receipt; 0 is for ever.
        compression_type: of contents; LZ4, ZSTD and SNAPPY need the extra of that name.
        max_pending_messages: without a receipt, per partition.
        max_pending_messages_across_partitions: the same for all partitions together.
        block_if_queue_full: `send` waits for room instead of raising `ProducerQueueIsFull`.
        batching_enabled: several messages go in one entry. While nothing is under way a batch goes
            at once; otherwise when it is full, when all receipts are there, or after the delay.
        batching_max_messages, batching_max_allowed_size_in_bytes: when a batch is full.
        batching_max_publish_delay_ms: how long a batch waits at most.
        chunking_enabled: messages that are too large are cut; not together with batching.
        message_routing_mode: which partition messages without a key go to.
        lazy_start_partitioned_producers: taken for compatibility; all are started at once.
        properties: of the producer, shown in the broker's statistics.
        batching_type: `KeyBased` keeps messages of different keys in different batches.
        encryption_key, crypto_key_reader: not supported yet, and refused.
        access_mode: whether the topic may have other producers.
        message_router: with `CustomPartition`, what chooses.
        max_pending_bytes: of contents without a receipt, per partition.
        initial_subscription_name: a subscription that is made with the topic.
    """

    producer_name: str | None = None
    schema: Any = None
    initial_sequence_id: int | None = None
    send_timeout_millis: int = 30_000
    compression_type: CompressionType = CompressionType.NONE
    max_pending_messages: int = 1000
    max_pending_messages_across_partitions: int = 50_000
    block_if_queue_full: bool = False
    batching_enabled: bool = True
    batching_max_messages: int = 1000
    batching_max_allowed_size_in_bytes: int = 128 * 1024
    batching_max_publish_delay_ms: int = 10
    chunking_enabled: bool = False
    message_routing_mode: PartitionsRoutingMode = PartitionsRoutingMode.RoundRobinDistribution
    lazy_start_partitioned_producers: bool = False
    properties: Mapping[str, str] | None = None
    batching_type: BatchingType = BatchingType.Default
    encryption_key: str | None = None
    crypto_key_reader: Any = None
    access_mode: ProducerAccessMode = ProducerAccessMode.Shared
    message_router: MessageRouter | None = None
    max_pending_bytes: int = 64 * 1024 * 1024
    initial_subscription_name: str | None = None

    def __post_init__(self) -> None:
        if self.encryption_key is not None or self.crypto_key_reader is not None:
            raise InvalidConfiguration("end-to-end encryption is not supported yet")
        for name in (
            "max_pending_messages",
            "max_pending_bytes",
            "batching_max_messages",
            "batching_max_allowed_size_in_bytes",
        ):
            if getattr(self, name) < 1:
                raise InvalidConfiguration(f"{name} must be at least 1")
        if self.send_timeout_millis < 0 or self.batching_max_publish_delay_ms < 0:
            raise InvalidConfiguration(
                "send_timeout_millis and batching_max_publish_delay_ms must not be negative"
            )

    @property
    def batches(self) -> bool:
        """Whether messages are batched: those that may be cut are not."""
        return self.batching_enabled and not self.chunking_enabled
