"""The broker's part of the settings."""

from magnetar_broker.config import BrokerConfig
from magnetar_runtime.settings import StandaloneSettings


def test_defaults_are_those_of_the_settings() -> None:
    config = BrokerConfig.of(StandaloneSettings())
    assert config == BrokerConfig()
    assert config.broker_url == "pulsar://localhost:6650"
    assert config.web_url == "http://localhost:8080"
    assert config.broker_id == "localhost:8080"
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
    assert (config.inactive_topics_interval_ms, config.inactive_topic_ms) == (5000, 5000)
    config = BrokerConfig.of(StandaloneSettings(inactive_topic_seconds=7))
    assert (config.inactive_topics_interval_ms, config.inactive_topic_ms) == (60_000, 7000)
    assert not BrokerConfig.of(
        StandaloneSettings(delete_inactive_topics=False)
    ).delete_inactive_topics


def test_policies_of_topics_that_have_none() -> None:
    settings = StandaloneSettings(
        retention_minutes=7, quota_gb=0.5, quota_check=False, ttl_check_minutes=2, ttl_seconds=9
    )
    policy = BrokerConfig.of(settings).policy
    assert (policy.retention_minutes, policy.retention_mb) == (7, 0)
    assert (policy.ttl_s, policy.ttl_check_ms) == (9, 120_000)
    assert (policy.quota_bytes, policy.quota_check_ms) == (1 << 29, 0)
    both = StandaloneSettings(quota_gb=0.5, quota_bytes=8)
    assert BrokerConfig.of(both).policy.quota_bytes == 8
    mode = StandaloneSettings(inactive_topics_mode="delete_when_subscriptions_caught_up")
    assert BrokerConfig.of(mode).policy.caught_up
