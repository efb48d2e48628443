"""What the broker tells a scraper."""

from typing import Any

from magnetar_broker.metrics import families
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.counters import Counters
from magnetar_runtime.metrics import text_lines

from tests.broker.client import sends
from tests.broker.conftest import Broker


def lines_of(broker: Broker) -> list[str]:
    counters = Counters()
    counters.add_source(lambda: families(broker.service))
    return list(text_lines(counters))


async def test_metrics_of_a_topic(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    ledger: Any = broker.ledger("x")
    ledger.size = 77
    batch = api.CommandSend(producer_id=1, sequence_id=1, num_messages=5, highest_sequence_id=5)
    client.publish(*sends(1, 0), batch)
    ledger.confirm()
    size = sum(map(len, ledger.payloads))
    lines = lines_of(broker)
    labels = (
        '{cluster="standalone",namespace="public/default",topic="persistent://public/default/x"}'
    )
    for line in [
        'pulsar_topics_count{cluster="standalone"} 1',
        'pulsar_active_connections{cluster="standalone"} 1',
        'pulsar_connection_created_total_count{cluster="standalone"} 1',
        f"pulsar_producers_count{labels} 1",
        f"pulsar_subscriptions_count{labels} 0",
        f"pulsar_consumers_count{labels} 0",
        f"pulsar_in_messages_total{labels} 6",
        f"pulsar_in_bytes_total{labels} {size}",
        f"pulsar_out_messages_total{labels} 0",
        f"pulsar_msg_backlog{labels} 0",
        f"pulsar_storage_size{labels} 77",
    ]:
        assert line in lines


async def test_metrics_of_a_broker_without_topics(broker: Broker) -> None:
    lines = lines_of(broker)
    assert 'pulsar_topics_count{cluster="standalone"} 0' in lines
    assert not [line for line in lines if line.startswith("pulsar_in_messages_total{")]
