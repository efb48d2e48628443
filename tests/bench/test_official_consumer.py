"""The official client's drain against a real broker."""

import pytest

from bench import official_consumer, official_producer
from bench.servers import Server

pytestmark = pytest.mark.official


def test_all_is_received(magnetar: Server, topic: str) -> None:
    with_subscription = official_producer.open_client(magnetar.port)
    with_subscription.subscribe(topic, "s").close()
    with_subscription.close()
    official_producer.run(magnetar.port, topic, 100, 0, "batched", messages=700)
    figures = official_consumer.run(magnetar.port, topic, "s", 700)
    assert figures["messages"] == 700
