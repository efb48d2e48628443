from magnetar_broker.consume_limits import ConsumeLimits


def test_defaults_are_those_of_pulsar_except_batch_index_acks() -> None:
    limits = ConsumeLimits()
    assert limits.batch_index_ack_enabled  # trap 12: off in Apache Pulsar, on here
    assert limits.max_unacked_messages_per_consumer == 50_000
    assert limits.max_unacked_messages_per_subscription == 200_000
    assert limits.failover_delay_ms == 1_000
    assert limits.round_robin_max_entries == 20
