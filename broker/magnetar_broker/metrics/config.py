"""Which metrics there are."""

from dataclasses import dataclass
from typing import Self

from magnetar_runtime.settings_broker import MetricsSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsConfig:
    """How fine the metrics are.

    Attributes:
        topics: Of each topic and subscription; else namespaces (`exposeTopicLevel...`).
        consumers, producers: Of each of them too, if of topics (`exposeConsumerLevel...`,
            `exposeProducerLevel...`).
        split_partition: A partition's topic is that of all, and its index is a label
            (`splitTopicAndPartitionLabelInPrometheus`).
    """

    topics: bool = True
    consumers: bool = False
    producers: bool = False
    split_partition: bool = False

    @classmethod
    def of(cls, settings: MetricsSettings) -> Self:
        """What the settings say of it."""
        return cls(
            topics=settings.topic_metrics,
            consumers=settings.topic_metrics and settings.consumer_metrics,
            producers=settings.topic_metrics and settings.producer_metrics,
            split_partition=settings.split_partition_label,
        )
