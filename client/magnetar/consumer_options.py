"""What a consumer or reader is asked to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from magnetar.errors import InvalidConfiguration
from magnetar.message_id import MessageId
from magnetar.types import (
    ConsumerBatchReceivePolicy,
    ConsumerDeadLetterPolicy,
    ConsumerKeySharedPolicy,
    ConsumerType,
    InitialPosition,
    MultiplierRedeliveryBackoff,
    RegexSubscriptionMode,
)

_MIN_ACK_TIMEOUT_MS = 10_000


class ConsumerArguments(TypedDict, total=False):
    """More keyword arguments of `subscribe`; `ConsumerOptions` explains them."""

    schema: Any
    receiver_queue_size: int
    max_total_receiver_queue_size_across_partitions: int
    consumer_name: str | None
    unacked_messages_timeout_ms: int | None
    broker_consumer_stats_cache_time_ms: int
    negative_ack_redelivery_delay_ms: int
    is_read_compacted: bool
    properties: Mapping[str, str] | None
    pattern_auto_discovery_period: float
    initial_position: InitialPosition
    crypto_key_reader: Any
    replicate_subscription_state_enabled: bool
    max_pending_chunked_message: int
    auto_ack_oldest_chunked_message_on_queue_full: bool
    start_message_id_inclusive: bool
    batch_receive_policy: ConsumerBatchReceivePolicy | None
    key_shared_policy: ConsumerKeySharedPolicy | None
    batch_index_ack_enabled: bool
    regex_subscription_mode: RegexSubscriptionMode
    dead_letter_policy: ConsumerDeadLetterPolicy | None
    is_pattern_topic: bool
    negative_ack_redelivery_backoff: MultiplierRedeliveryBackoff | None
    ack_receipt_enabled: bool
    ack_group_time_ms: int
    priority_level: int
    subscription_properties: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConsumerOptions:
    """The keyword arguments of `subscribe`, with their defaults.

    Attributes:
        consumer_type: who gets a message.
        schema: what `Message.value` reads with.
        receiver_queue_size: how many messages the broker may send ahead; 0 asks for each one.
        max_total_receiver_queue_size_across_partitions: the same for all topics together.
        consumer_name: shown in the broker's statistics.
        unacked_messages_timeout_ms: messages come again that are not acknowledged in time.
        broker_consumer_stats_cache_time_ms: taken for compatibility, without effect.
        negative_ack_redelivery_delay_ms: how long after that messages come again.
        is_read_compacted: of messages with one key the last alone.
        properties: of the consumer, shown in the broker's statistics.
        pattern_auto_discovery_period: how often topics that match are looked for, in s.
        initial_position: where a subscription that is made begins.
        crypto_key_reader: not supported yet, and refused.
        max_pending_chunked_message: how many messages may wait for their last chunks.
        auto_ack_oldest_chunked_message_on_queue_full: those that give way are acknowledged.
        start_message_id_inclusive: `seek` goes to the message, not behind it.
        batch_receive_policy: when `batch_receive` returns.
        key_shared_policy: how keys are divided.
        batch_index_ack_enabled: the broker is told of single messages of a batch.
        regex_subscription_mode: which topics a pattern may match.
        dead_letter_policy: what becomes of messages that fail again and again.
        is_pattern_topic: the topic is a pattern, though it is a text.
        negative_ack_redelivery_backoff: waits that grow, instead of the delay.
        ack_receipt_enabled: `acknowledge` waits for the broker's answer.
        ack_group_time_ms: how long acknowledgements are collected; 0 sends each at once.
        priority_level: consumers of a lower number are served first.
        subscription_properties: kept with a subscription that is made.
        durable: the subscription outlives the consumer; that of a reader does not.
        start_message_id: where a subscription that is not durable begins.
    """

    subscription_name: str
    consumer_type: ConsumerType = ConsumerType.Exclusive
    schema: Any = None
    receiver_queue_size: int = 1000
    max_total_receiver_queue_size_across_partitions: int = 50_000
    consumer_name: str | None = None
    unacked_messages_timeout_ms: int | None = None
    broker_consumer_stats_cache_time_ms: int = 30_000
    negative_ack_redelivery_delay_ms: int = 60_000
    is_read_compacted: bool = False
    properties: Mapping[str, str] | None = None
    pattern_auto_discovery_period: float = 60
    initial_position: InitialPosition = InitialPosition.Latest
    crypto_key_reader: Any = None
    replicate_subscription_state_enabled: bool = False
    max_pending_chunked_message: int = 10
    auto_ack_oldest_chunked_message_on_queue_full: bool = False
    start_message_id_inclusive: bool = False
    batch_receive_policy: ConsumerBatchReceivePolicy | None = None
    key_shared_policy: ConsumerKeySharedPolicy | None = None
    batch_index_ack_enabled: bool = False
    regex_subscription_mode: RegexSubscriptionMode = RegexSubscriptionMode.PersistentOnly
    dead_letter_policy: ConsumerDeadLetterPolicy | None = None
    is_pattern_topic: bool = False
    negative_ack_redelivery_backoff: MultiplierRedeliveryBackoff | None = None
    ack_receipt_enabled: bool = False
    ack_group_time_ms: int = 100
    priority_level: int = 0
    subscription_properties: Mapping[str, str] | None = None
    durable: bool = True
    start_message_id: MessageId | None = None

    def __post_init__(self) -> None:
        if self.crypto_key_reader is not None:
            raise InvalidConfiguration("end-to-end encryption is not supported yet")
        if self.receiver_queue_size < 0:
            raise InvalidConfiguration("receiver_queue_size must not be negative")
        if 0 < (self.unacked_messages_timeout_ms or 0) < _MIN_ACK_TIMEOUT_MS:
            raise InvalidConfiguration(
                f"unacked_messages_timeout_ms must be {_MIN_ACK_TIMEOUT_MS} or more"
            )
        if self.dead_letter_policy is not None and not self.shared:
            raise InvalidConfiguration(
                "a dead letter policy needs a Shared or KeyShared subscription: only there a broker"
                " counts redeliveries"
            )

    @property
    def shared(self) -> bool:
        """Whether several consumers get messages at once."""
        return self.consumer_type in (ConsumerType.Shared, ConsumerType.KeyShared)

    def redelivery_delay_ms(self, redelivery_count: int) -> int:
        """How long after a negative acknowledgement a message comes again."""
        backoff = self.negative_ack_redelivery_backoff
        if backoff is None:
            return self.negative_ack_redelivery_delay_ms
        return backoff.next(redelivery_count)
