"""Pulsar's switches of metrics, and its defaults."""

from magnetar_broker.metrics.config import MetricsConfig
from magnetar_runtime.settings import ServiceSettings


def test_defaults() -> None:
    assert MetricsConfig.of(ServiceSettings()) == MetricsConfig()
    assert MetricsConfig() == MetricsConfig(
        topics=True, consumers=False, producers=False, split_partition=False
    )


def test_consumers_and_producers_need_topics() -> None:
    every = ServiceSettings(consumer_metrics=True, producer_metrics=True)
    assert MetricsConfig.of(every) == MetricsConfig(consumers=True, producers=True)
    coarse = ServiceSettings(topic_metrics=False, consumer_metrics=True, producer_metrics=True)
    assert MetricsConfig.of(coarse) == MetricsConfig(topics=False)
