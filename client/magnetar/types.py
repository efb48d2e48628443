"""Choices and policies that producers and consumers take: Pulsar's names, the official values."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_HASHES: Final = 1 << 16


class ConsumerType(IntEnum):
    """Who gets a message of a subscription."""

    Exclusive = 0
    """Its only consumer."""
    Shared = 1
    """Any of its consumers, by turns."""
    Failover = 2
    """One of its consumers, another when that one leaves."""
    KeyShared = 3
    """The consumer that has the key of the message, in the order of the key."""


class InitialPosition(IntEnum):
    """Where a new subscription begins."""

    Latest = 0
    Earliest = 1


class CompressionType(IntEnum):
    """How payloads are compressed. LZ4, ZSTD and SNAPPY need the extra of that name."""

    NONE = 0
    LZ4 = 1
    ZLib = 2
    ZSTD = 3
    SNAPPY = 4


class PartitionsRoutingMode(IntEnum):
    """Which partition a message without a key goes to."""

    UseSinglePartition = 0
    RoundRobinDistribution = 1
    CustomPartition = 2


class BatchingType(IntEnum):
    """What one batch may hold."""

    Default = 0
    """Messages as they come."""
    KeyBased = 1
    """Messages of one key, as consumers of a key-shared subscription need them."""


class ProducerAccessMode(IntEnum):
    """Whether a topic may have other producers."""

    Shared = 0
    Exclusive = 1
    """No other; fails if there is one."""
    WaitForExclusive = 2
    """No other; waits until there is none."""
    ExclusiveWithFencing = 3
    """No other; those that there are end."""


class KeySharedMode(IntEnum):
    """Who divides the keys of a key-shared subscription among its consumers."""

    AutoSplit = 0
    """The broker."""
    Sticky = 1
    """The consumers: each names ranges of hashes."""


class RegexSubscriptionMode(IntEnum):
    """Which topics a pattern may match."""

    PersistentOnly = 0
    NonPersistentOnly = 1
    AllTopics = 2


@dataclass(frozen=True, slots=True)
class ConsumerBatchReceivePolicy:
    """When `batch_receive` returns: as soon as one of its bounds is reached.

    Attributes:
        max_num_message: messages; none or less is no bound.
        max_num_bytes: bytes of their payloads; none or less is no bound.
        timeout_ms: time since the call; none or less is no bound.
    """

    max_num_message: int = -1
    max_num_bytes: int = 10 * 1024 * 1024
    timeout_ms: int = 100

    def __post_init__(self) -> None:
        if max(self.max_num_message, self.max_num_bytes, self.timeout_ms) <= 0:
            raise ValueError("a batch receive policy without any bound never returns: set one")


@dataclass(frozen=True, slots=True)
class ConsumerKeySharedPolicy:
    """How a key-shared consumer takes part.

    Attributes:
        key_shared_mode: who divides the keys.
        allow_out_of_order_delivery: whether the messages of a key may overtake each other when
            consumers come and go; nobody waits then.
        sticky_ranges: with `KeySharedMode.Sticky`, which hashes the consumer takes: first and last
            of each range, between 0 and 65535.
    """

    key_shared_mode: KeySharedMode = KeySharedMode.AutoSplit
    allow_out_of_order_delivery: bool = False
    sticky_ranges: Sequence[tuple[int, int]] | None = None

    def __post_init__(self) -> None:
        if self.key_shared_mode != KeySharedMode.Sticky:
            return
        if not self.sticky_ranges:
            raise ValueError("KeySharedMode.Sticky needs sticky_ranges")
        before = -1
        for first, last in sorted(self.sticky_ranges):
            if not before < first <= last < _HASHES:
                raise ValueError(
                    f"sticky range ({first}, {last}): ranges go up from 0 to {_HASHES - 1} and"
                    " do not overlap"
                )
            before = last


@dataclass(frozen=True, slots=True)
class ConsumerDeadLetterPolicy:
    """What becomes of a message that fails again and again.

    Attributes:
        max_redeliver_count: so often it comes once more; then it goes to the dead letter topic
            and is acknowledged.
        dead_letter_topic: None for TOPIC-SUBSCRIPTION-DLQ.
        initial_subscription_name: a subscription that is made with the dead letter topic, so that
            its messages are kept.
        retry_letter_topic: where `reconsume_later` puts messages; None for
            TOPIC-SUBSCRIPTION-RETRY.
    """

    max_redeliver_count: int
    dead_letter_topic: str | None = None
    initial_subscription_name: str | None = None
    retry_letter_topic: str | None = None

    def __post_init__(self) -> None:
        if self.max_redeliver_count < 1:
            raise ValueError("max_redeliver_count must be greater than 0")


@dataclass(frozen=True, slots=True)
class MultiplierRedeliveryBackoff:
    """Redelivery that waits longer each time that a message fails.

    Attributes:
        min_delay_ms: the first wait.
        max_delay_ms: no wait is longer.
        multiplier: each wait is so many times the one before.
    """

    min_delay_ms: int = 1000
    max_delay_ms: int = 60_000
    multiplier: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.min_delay_ms <= self.max_delay_ms or self.multiplier < 1:
            raise ValueError(
                "a back-off needs 0 < min_delay_ms <= max_delay_ms and a multiplier of 1 or more"
            )

    def next(self, redelivery_count: int) -> int:
        """How long a message waits (ms) that was redelivered so often."""
        delay_ms = float(self.min_delay_ms)
        for _ in range(max(redelivery_count, 0)):
            delay_ms *= self.multiplier
            if delay_ms >= self.max_delay_ms or self.multiplier == 1:
                break
        return int(min(delay_ms, self.max_delay_ms))
