"""The names of Pulsar's metrics that are served, in the order of the values of `values`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from magnetar_runtime.counters import Kind

from magnetar_broker.metrics.table import Column, place_of

_COUNTER: Final = Kind.COUNTER
_LATENCY_NAMES: Final = ("le_0_5", "le_1", "le_5", "le_10", "le_20", "le_50", "le_100", "le_200")
_SIZE_NAMES: Final = ("128", "512", "1_kb", "2_kb", "4_kb", "16_kb", "100_kb", "1_mb", "overflow")
_TIMED: Final = "Entries of the last interval by the time until they were stored, in milliseconds."
_SIZED: Final = "Entries of the last interval by size."

_HISTOGRAMS: Final[Sequence[Column]] = (
    *(
        Column(f"pulsar_storage_write_latency_{name}", _TIMED)
        for name in (*_LATENCY_NAMES, "le_1000", "overflow")
    ),
    Column("pulsar_storage_write_latency_count", "Entries of the last interval."),
    Column("pulsar_storage_write_latency_sum", "Their times together, in microseconds."),
    *(Column(f"pulsar_entry_size_le_{name}", _SIZED) for name in _SIZE_NAMES),
    Column("pulsar_entry_size_count", "Entries of the last interval."),
    Column("pulsar_entry_size_sum", "Their sizes together, in bytes."),
)
_CLIENTS: Final[Sequence[Column]] = (
    Column("pulsar_subscriptions_count", "Subscriptions."),
    Column("pulsar_producers_count", "Producers that are connected."),
    Column("pulsar_consumers_count", "Consumers that are connected."),
)
_RATES: Final[Sequence[Column]] = (
    Column("pulsar_rate_in", "Messages stored, per second."),
    Column("pulsar_rate_out", "Messages sent to consumers, per second."),
    Column("pulsar_throughput_in", "Bytes stored, per second."),
    Column("pulsar_throughput_out", "Bytes sent to consumers, per second."),
)
_BACKLOG: Final = Column("pulsar_msg_backlog", "Entries that subscriptions have not acknowledged.")
_STORAGE: Final[Sequence[Column]] = (
    _BACKLOG,
    Column("pulsar_storage_size", "Payload bytes that are kept, in all replicas."),
    Column("pulsar_storage_logical_size", "Payload bytes that are kept, each once."),
    Column("pulsar_storage_write_rate", "Entries stored, per second."),
)
_IN_TOTAL: Final[Sequence[Column]] = (
    Column("pulsar_in_messages_total", "Messages stored since the load.", _COUNTER),
    Column("pulsar_in_bytes_total", "Bytes stored since the load.", _COUNTER),
)
_OUT_TOTAL: Final[Sequence[Column]] = (
    Column("pulsar_out_messages_total", "Messages sent to consumers since the load.", _COUNTER),
    Column("pulsar_out_bytes_total", "Bytes sent to consumers since the load.", _COUNTER),
)
_INDEX_SIZE: Final = Column(
    "pulsar_delayed_message_index_size_bytes", "What the index of delayed messages takes in memory."
)
_BACKLOG_SIZE: Final = Column(
    "pulsar_storage_backlog_size", "Bytes before the slowest subscription, about."
)
_DELAYED: Final = Column("pulsar_subscription_delayed", "Messages that wait for their time.")
_IN_REPLAY: Final = Column("pulsar_subscription_in_replay", "Entries read that wait to be sent.")

TOPIC: Final[Sequence[Column]] = (
    *_CLIENTS,
    *_RATES,
    *_STORAGE,
    *_IN_TOTAL,
    _INDEX_SIZE,
    _BACKLOG_SIZE,
    *_HISTOGRAMS,
    Column("pulsar_average_msg_size", "Bytes of a message, of the last interval."),
    Column("pulsar_storage_backlog_quota_limit", "Quota of the backlog in bytes; -1 is none."),
    Column("pulsar_storage_backlog_quota_limit_time", "The same in seconds."),
    Column("pulsar_publish_rate_limit_times", "How often the publish rate held producers back."),
)
SUMMED: Final = place_of(TOPIC, "pulsar_average_msg_size")
"""So many columns of a topic are added up for its namespace; those behind them are not."""

NAMESPACE: Final[Sequence[Column]] = (
    *(
        column._replace(labels=',remote_cluster="local"' if column is _BACKLOG else "")
        for column in TOPIC[:SUMMED]
    ),
    *_OUT_TOTAL,
    _DELAYED,
    _IN_REPLAY,
)
TOPICS_COUNT: Final = Column("pulsar_topics_count", "Topics that are loaded.")

SUBSCRIPTION: Final[Sequence[Column]] = (
    *_OUT_TOTAL,
    _DELAYED,
    _IN_REPLAY,
    Column("pulsar_subscription_delayed_message_index_size_bytes", _INDEX_SIZE.help),
    Column("pulsar_subscription_back_log", "Entries that are not acknowledged."),
    Column("pulsar_subscription_back_log_no_delayed", "Of them, those that do not wait."),
    Column("pulsar_subscription_unacked_messages", "Messages sent and not acknowledged."),
    Column("pulsar_subscription_blocked_on_unacked_messages", "1 while they are too many."),
    Column("pulsar_subscription_consumers_count", "Consumers that are connected."),
    Column("pulsar_subscription_msg_rate_out", "Messages sent, per second."),
    Column("pulsar_subscription_msg_throughput_out", "Bytes sent, per second."),
    Column("pulsar_subscription_msg_rate_redeliver", "Entries given back, per second."),
    Column("pulsar_subscription_msg_ack_rate", "Entries acknowledged, per second."),
    Column("pulsar_subscription_msg_rate_expired", "Entries expired, per second."),
    Column("pulsar_subscription_total_msg_expired", "Entries expired.", _COUNTER),
    Column("pulsar_subscription_msg_drop_rate", "Messages dropped (non-persistent), per second."),
    Column("pulsar_subscription_last_expire_timestamp", "When entries expired last, in ms."),
    Column("pulsar_subscription_last_acked_timestamp", "When one was acknowledged last, in ms."),
    Column("pulsar_subscription_last_consumed_timestamp", "When one was sent last, in ms."),
)
CONSUMER: Final[Sequence[Column]] = (
    *_OUT_TOTAL,
    Column("pulsar_consumer_msg_rate_out", "Messages sent, per second."),
    Column("pulsar_consumer_msg_throughput_out", "Bytes sent, per second."),
    Column("pulsar_consumer_msg_rate_redeliver", "Entries given back, per second."),
    Column("pulsar_consumer_msg_ack_rate", "Entries acknowledged, per second."),
    Column("pulsar_consumer_available_permits", "Messages that the client has room for."),
    Column("pulsar_consumer_unacked_messages", "Messages sent and not acknowledged."),
    Column("pulsar_consumer_blocked_on_unacked_messages", "1 while they are too many."),
)
PRODUCER: Final[Sequence[Column]] = (
    Column("pulsar_producer_msg_rate_in", "Messages stored, per second."),
    Column("pulsar_producer_msg_throughput_in", "Bytes stored, per second."),
    Column("pulsar_producer_msg_average_Size", "Bytes of a message, of the last interval."),
)
BROKER: Final[Sequence[Column]] = (
    Column("pulsar_broker_topics_count", TOPICS_COUNT.help),
    *(
        column._replace(name=column.name.replace("pulsar_", "pulsar_broker_"))
        for column in (*_CLIENTS, *_RATES, *_STORAGE)
    ),
)
_OUT_BYTES: Final = "pulsar_broker_out_bytes_total"
BROKER_OUT_BYTES: Final[Sequence[Column]] = tuple(
    Column(_OUT_BYTES, _OUT_TOTAL[1].help, _COUNTER, f',system_subscription="{system}"')
    for system in ("false", "true")
)
"""Apart from what is sent of system topics: of those the second."""

MANAGED_LEDGERS: Final[Sequence[Column]] = (
    Column("pulsar_ml_AddEntryMessagesRate", "Entries stored, per second."),
    Column("pulsar_ml_AddEntryBytesRate", "Bytes stored, per second."),
    Column("pulsar_ml_AddEntryWithReplicasBytesRate", "The same in all replicas."),
    Column("pulsar_ml_NumberOfMessagesInBacklog", "Entries that are not acknowledged."),
    Column("pulsar_ml_StoredMessagesSize", "Payload bytes that are kept, in all replicas."),
)
LEDGER_COUNT: Final = Column("pulsar_ml_count", "Managed ledgers that are open.")

# Where the values of others are taken from.
BACKLOG_OF_TOPIC: Final = place_of(TOPIC, "pulsar_msg_backlog")
SIZE_OF_TOPIC: Final = place_of(TOPIC, "pulsar_storage_size")
THROUGHPUT_IN: Final = place_of(TOPIC, "pulsar_throughput_in")
WRITE_RATE: Final = place_of(TOPIC, "pulsar_storage_write_rate")
INDEX_SIZE: Final = place_of(SUBSCRIPTION, "pulsar_subscription_delayed_message_index_size_bytes")
BACKLOG: Final = place_of(SUBSCRIPTION, "pulsar_subscription_back_log")
CONSUMERS: Final = place_of(SUBSCRIPTION, "pulsar_subscription_consumers_count")
RATE_OUT: Final = place_of(SUBSCRIPTION, "pulsar_subscription_msg_rate_out")
THROUGHPUT_OUT: Final = place_of(SUBSCRIPTION, "pulsar_subscription_msg_throughput_out")
