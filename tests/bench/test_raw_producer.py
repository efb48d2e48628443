"""The windowed load sends what it is told to, over one and over several connections."""

import pytest

from bench import raw_producer
from bench.servers import Server


@pytest.mark.parametrize("connections", [1, 3])
def test_number_of_messages_is_exact(null_server: Server, connections: int) -> None:
    topics = [f"persistent://public/default/t-{index}" for index in range(connections)]
    figures = raw_producer.run(
        null_server.port, topics, payload_bytes=4096, seconds=30, messages=3000
    )
    assert figures["messages"] == 3000
    assert figures["entries_per_s"] > 0
    assert 0 < figures["receipt_p50_ms"] <= figures["receipt_max_ms"]


def test_time_is_up_before_the_messages_are(null_server: Server) -> None:
    figures = raw_producer.run(
        null_server.port,
        ["persistent://public/default/t"],
        payload_bytes=4096,
        seconds=0.05,
        messages=1 << 40,
    )
    assert 0.05 <= figures["seconds"] < 5
    assert figures["messages"] > 0
