"""What the broker tells a scraper."""

from typing import Any

from magnetar_broker.config import BrokerConfig
from magnetar_broker.metrics.config import MetricsConfig
from magnetar_broker.metrics.families import families
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.counters import Counters
from magnetar_runtime.metrics import text_pieces

from tests.broker.client import sends
from tests.broker.conftest import Broker, StartBroker

CLUSTER = 'cluster="standalone"'
NAMESPACE = f'{{{CLUSTER},namespace="public/default"}}'
TOPIC = f'{{{CLUSTER},namespace="public/default",topic="persistent://public/default/x"}}'


def lines_of(broker: Broker) -> list[str]:
    counters = Counters()
    counters.add_source(lambda: families(broker.service))
    return "".join(text_pieces(counters)).splitlines()


async def published(broker: Broker, topic: str = "x") -> int:
    """Six messages in two entries, two seconds before a look at the rates; their bytes."""
    client = await broker.client()
    await client.produce(topic, 1)
    ledger: Any = broker.ledger(topic)
    ledger.size = 77
    batch = api.CommandSend(producer_id=1, sequence_id=1, num_messages=5, highest_sequence_id=5)
    client.publish(*sends(1, 0), batch)
    broker.clock.now_ns += 2 * 10**9
    ledger.confirm()
    await broker.service.sampler.sample()
    return sum(map(len, ledger.payloads))


async def test_metrics_of_a_topic(broker: Broker) -> None:
    size = await published(broker)
    lines = lines_of(broker)
    for line in [
        f"pulsar_topics_count{NAMESPACE} 1",
        f"pulsar_producers_count{TOPIC} 1",
        f"pulsar_subscriptions_count{TOPIC} 0",
        f"pulsar_consumers_count{TOPIC} 0",
        f"pulsar_in_messages_total{TOPIC} 6",
        f"pulsar_in_bytes_total{TOPIC} {size}",
        f"pulsar_rate_in{TOPIC} 3.0",
        f"pulsar_throughput_in{TOPIC} {size / 2}",
        f"pulsar_rate_out{TOPIC} 0",
        f"pulsar_average_msg_size{TOPIC} {size / 6}",
        f"pulsar_msg_backlog{TOPIC} 0",
        f"pulsar_storage_size{TOPIC} 77",
        f"pulsar_storage_logical_size{TOPIC} 77",
        f"pulsar_storage_write_rate{TOPIC} 1.0",
        f"pulsar_storage_write_latency_le_1000{TOPIC} 0",
        f"pulsar_storage_write_latency_overflow{TOPIC} 2",
        f"pulsar_storage_write_latency_count{TOPIC} 2",
        f"pulsar_storage_write_latency_sum{TOPIC} 4000000",
        f"pulsar_entry_size_le_128{TOPIC} 2",
        f"pulsar_entry_size_count{TOPIC} 2",
        f"pulsar_entry_size_sum{TOPIC} {size}",
        f"pulsar_storage_backlog_quota_limit{TOPIC} -1",
        f"pulsar_publish_rate_limit_times{TOPIC} 0",
    ]:
        assert line in lines


async def test_metrics_of_a_broker(broker: Broker) -> None:
    size = await published(broker)
    await published(broker, "y")
    lines = lines_of(broker)
    labels = f'{{{CLUSTER},broker="localhost",metric="broker_connection"}}'
    ledgers = f'{{{CLUSTER},namespace="public/default/persistent"}}'
    for line in [
        f"pulsar_active_connections{labels} 2",
        f"pulsar_connection_created_total_count{labels} 2",
        f"pulsar_connection_closed_total_count{labels} 0",
        f"pulsar_broker_topics_count{{{CLUSTER}}} 2",
        f"pulsar_broker_producers_count{{{CLUSTER}}} 2",
        f"pulsar_broker_storage_size{{{CLUSTER}}} 154",
        f'pulsar_broker_out_bytes_total{{{CLUSTER},system_subscription="false"}} 0',
        f'pulsar_broker_out_bytes_total{{{CLUSTER},system_subscription="true"}} 0',
        f"pulsar_broker_lookup_pending_requests{{{CLUSTER}}} 0",
        f"pulsar_ml_count{{{CLUSTER}}} 2",
        f"pulsar_ml_AddEntryMessagesRate{ledgers} 1.0",
        f"pulsar_ml_AddEntryBytesRate{ledgers} {size / 2}",
        f"pulsar_ml_StoredMessagesSize{ledgers} 154",
    ]:
        assert line in lines


async def test_a_name_is_one_family(broker: Broker) -> None:
    await published(broker)
    names = [line.split()[2] for line in lines_of(broker) if line.startswith("# TYPE")]
    assert len(names) == len(set(names))


async def test_sizes_are_of_all_replicas(start_broker: StartBroker) -> None:
    policy = BrokerConfig().policy.__class__(quorums=(3, 3, 2))
    broker = await start_broker(BrokerConfig(policy=policy))
    await published(broker)
    lines = lines_of(broker)
    assert f"pulsar_storage_size{TOPIC} 231" in lines
    assert f"pulsar_storage_logical_size{TOPIC} 77" in lines


async def test_namespaces_stand_in_for_topics(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(metrics=MetricsConfig(topics=False)))
    size = await published(broker)
    await published(broker, "y")
    lines = lines_of(broker)
    assert not [line for line in lines if 'topic="' in line]
    for line in [
        f"pulsar_topics_count{NAMESPACE} 2",
        f"pulsar_producers_count{NAMESPACE} 2",
        f"pulsar_in_messages_total{NAMESPACE} 12",
        f"pulsar_in_bytes_total{NAMESPACE} {2 * size}",
        f"pulsar_out_messages_total{NAMESPACE} 0",
        f"pulsar_subscription_delayed{NAMESPACE} 0",
        f'pulsar_msg_backlog{NAMESPACE[:-1]},remote_cluster="local"}} 0',
        f"pulsar_broker_topics_count{{{CLUSTER}}} 2",
    ]:
        assert line in lines


async def test_producers_are_told_of_when_asked_for(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(metrics=MetricsConfig(producers=True)))
    client = await broker.client()
    await client.produce("x", 7, producer_name="p")
    labels = f'{TOPIC[:-1]},producer_name="p",producer_id="7"}}'
    assert f"pulsar_producer_msg_rate_in{labels} 0.0" in lines_of(broker)


async def test_the_partition_may_have_a_label_of_its_own(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(metrics=MetricsConfig(split_partition=True)))
    client = await broker.client()
    await client.produce("x", 1)
    await client.produce("x-partition-3", 2)
    lines = lines_of(broker)
    for index in (-1, 3):
        assert f'pulsar_producers_count{TOPIC[:-1]},partition="{index}"}} 1' in lines


async def test_metrics_of_a_broker_without_topics(broker: Broker) -> None:
    lines = lines_of(broker)
    assert f"pulsar_broker_topics_count{{{CLUSTER}}} 0" in lines
    assert not [line for line in lines if line.startswith("pulsar_in_messages_total{")]
