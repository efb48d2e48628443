"""Whether clients may make topics in a namespace, of which kind, and how many there may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from magnetar_broker.policies.table import namespace_level

if TYPE_CHECKING:
    from magnetar_broker.config import BrokerConfig


@dataclass(frozen=True, slots=True)
class TopicCreation:
    """What a namespace says of topics that are to be made.

    Attributes:
        partitions: Of those that clients make; 0 for topics that are not partitioned.
        most: Topics of the namespace; 0 is no limit.
    """

    allowed: bool
    partitions: int
    most: int

    @classmethod
    def of(cls, settings: Mapping[str, Any], config: BrokerConfig) -> Self:
        """By what is set for the namespace, else by the configuration."""
        level = namespace_level(settings, "")
        most = level.get("maxTopicsPerNamespace", config.limits.max_topics_per_namespace)
        rule = level.get("autoTopicCreation")
        if rule is None:
            count = config.default_partitions if config.auto_topics_partitioned else 0
            return cls(config.allow_auto_topic_creation, count, most)
        count = rule.get("defaultNumPartitions", 0)
        return cls(rule["allowAutoTopicCreation"], count, most)
