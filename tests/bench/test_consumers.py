"""The drain by the official client and by the SDK, against a real broker."""

from types import ModuleType

import pytest

from bench import official_consumer, official_producer, sdk_consumer
from bench.servers import Server

pytestmark = pytest.mark.official  # a subscription is made by it, and it produces


@pytest.mark.parametrize("consumer", [official_consumer, sdk_consumer], ids=["official", "sdk"])
def test_all_is_received(magnetar: Server, topic: str, consumer: ModuleType) -> None:
    with_subscription = official_producer.open_client(magnetar.port)
    with_subscription.subscribe(topic, "s").close()
    with_subscription.close()
    official_producer.run(magnetar.port, topic, 100, 0, "batched", messages=700)
    figures = consumer.run(magnetar.port, topic, "s", 700)
    assert figures["messages"] == 700
