"""The load by the official client and by the SDK, against a real broker."""

from types import ModuleType

import pytest

from bench import official_producer, sdk_producer
from bench.servers import Server

pytestmark = pytest.mark.official
of_both = pytest.mark.parametrize(
    "producer", [official_producer, sdk_producer], ids=["official", "sdk"]
)


@of_both
@pytest.mark.parametrize("mode", ["batched", "unbatched"])
def test_number_of_messages_is_exact(
    magnetar: Server, topic: str, producer: ModuleType, mode: str
) -> None:
    figures = producer.run(magnetar.port, topic, 100, 0, mode, messages=250)
    assert figures["messages"] == 250
    assert figures["messages_per_s"] > 0


@of_both
def test_blocking_sends_are_timed(magnetar: Server, topic: str, producer: ModuleType) -> None:
    figures = producer.run(magnetar.port, topic, 100, 0.05, "blocking")
    assert figures["messages"] > 0
    assert figures["mean_ms"] > 0
