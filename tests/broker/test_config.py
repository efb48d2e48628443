"""The broker's part of the settings."""

from magnetar_broker.config import BrokerConfig
from magnetar_runtime.settings import StandaloneSettings


def test_defaults_are_those_of_the_settings() -> None:
    config = BrokerConfig.of(StandaloneSettings())
    assert config == BrokerConfig()
    assert config.broker_url == "pulsar://localhost:6650"
    assert config.web_url == "http://localhost:8080"
    assert config.advertises_loopback


def test_settings_arrive() -> None:
    settings = StandaloneSettings(
        advertised_address="broker.example",
        broker_service_port=1,
        web_service_port=2,
        cluster_name="c",
        allow_auto_topic_creation=False,
        allow_auto_topic_creation_type="partitioned",
        default_num_partitions=3,
        allow_auto_subscription_creation=False,
        max_message_bytes=1000,
        batch_index_acks=False,
        active_consumer_failover_delay_ms=7,
        max_unacked_messages_per_broker=77,
        max_unacked_share_of_subscription=0.5,
        max_consumers_per_subscription=8,
        max_consumers_per_topic=9,
        max_subscriptions_per_topic=10,
        dispatcher_max_read_batch_entries=11,
        dispatcher_max_read_bytes=12,
        retention_check_interval_seconds=13,
        key_shared_enabled=False,
        key_shared_consistent_hashing=False,
        key_shared_points_per_consumer=14,
        key_shared_look_ahead_per_consumer=15,
        key_shared_look_ahead_per_subscription=16,
    )
    config = BrokerConfig.of(settings)
    assert config.broker_url == "pulsar://broker.example:1"
    assert config.web_url == "http://broker.example:2"
    assert not config.advertises_loopback
    assert config.cluster == "c"
    assert not config.allow_auto_topic_creation
    assert config.auto_topics_partitioned
    assert config.default_partitions == 3
    assert not config.allow_auto_subscription_creation
    assert config.limits.max_message_bytes == 1000
    assert not config.consume.batch_index_ack_enabled
    assert config.consume.failover_delay_ms == 7
    assert config.consume.max_unacked_messages_per_broker == 77
    assert config.consume.max_unacked_share_of_subscription == 0.5
    assert config.consume.max_consumers_per_subscription == 8
    assert config.consume.max_consumers_per_topic == 9
    assert config.consume.max_subscriptions_per_topic == 10
    assert config.consume.read_max_entries == 11
    assert config.consume.read_max_bytes == 12
    assert config.retention_check_interval_ms == 13_000
    assert not config.consume.key_shared_enabled
    assert not config.consume.key_shared_consistent_hashing
    assert config.consume.key_shared_points_per_consumer == 14
    assert config.consume.key_shared_look_ahead_per_consumer == 15
    assert config.consume.key_shared_look_ahead_per_subscription == 16


def test_ports_that_are_off() -> None:
    settings = StandaloneSettings(broker_service_port=None, web_service_port=None)
    config = BrokerConfig.of(settings)
    assert (config.broker_port, config.web_port) == (0, 0)


def test_inactive_topics() -> None:
    config = BrokerConfig.of(StandaloneSettings(inactive_topics_interval_seconds=5))
    assert config.delete_inactive_topics
    assert not config.messages_retained
    assert (config.inactive_topics_interval_ms, config.inactive_topic_ms) == (5000, 5000)
    config = BrokerConfig.of(StandaloneSettings(inactive_topic_seconds=7))
    assert (config.inactive_topics_interval_ms, config.inactive_topic_ms) == (60_000, 7000)
    assert not BrokerConfig.of(
        StandaloneSettings(delete_inactive_topics=False)
    ).delete_inactive_topics


def test_topics_with_retained_messages_are_never_inactive() -> None:
    for settings in (StandaloneSettings(retention_minutes=-1), StandaloneSettings(retention_mb=5)):
        assert BrokerConfig.of(settings).messages_retained
