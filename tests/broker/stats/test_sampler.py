"""What is loaded is measured, what is gone is not."""

from typing import Any

from magnetar_broker.stats.sampler import StatsSampler

from tests.broker.client import sends
from tests.broker.conftest import Broker


async def test_rates(broker: Broker) -> None:
    sampler, client = broker.service.sampler, await broker.client()
    await client.produce("x", 1)
    topic = broker.service.topics.loaded["persistent://public/default/x"]
    [producer] = topic.producers.values()
    assert sampler.meter_of(topic).rates[:2] == (0.0, 0.0)
    client.publish(*sends(1, 0, 1, 2, 3))
    broker.ledger("x").confirm()
    broker.clock.now_ns += 2 * 10**9
    await sampler.sample()
    assert sampler.meter_of(topic).rates[0] == sampler.meter_of(producer).rates[0] == 2.0
    assert sampler.meter_of(topic).rates[1] == topic.bytes_in / 2
    broker.clock.now_ns += 10**9
    await sampler.sample()
    assert sampler.meter_of(producer).rates == (0.0, 0.0)


async def test_meters_go_with_what_they_measured(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    topic = broker.service.topics.loaded["persistent://public/default/x"]
    client.publish(*sends(1, 0))
    broker.ledger("x").confirm()
    broker.clock.now_ns += 10**9
    loaded: dict[str, Any] = {"x": topic}
    sampler = StatsSampler(loaded, broker.clock)
    broker.clock.now_ns += 10**9
    await sampler.sample()
    assert sampler.meter_of(topic).rates[0] == 1.0
    loaded.clear()
    await sampler.sample()
    assert sampler.meter_of(topic).rates[0] == 0.0
