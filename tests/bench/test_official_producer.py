"""The official client's load against a real broker."""

import pytest

from bench import official_producer
from bench.servers import Server

pytestmark = pytest.mark.official


@pytest.mark.parametrize("mode", ["batched", "unbatched"])
def test_number_of_messages_is_exact(magnetar: Server, topic: str, mode: str) -> None:
    figures = official_producer.run(magnetar.port, topic, 100, 0, mode, messages=250)
    assert figures["messages"] == 250
    assert figures["messages_per_s"] > 0


def test_blocking_sends_are_timed(magnetar: Server, topic: str) -> None:
    figures = official_producer.run(magnetar.port, topic, 100, 0.05, "blocking")
    assert figures["messages"] > 0
    assert figures["mean_ms"] > 0
