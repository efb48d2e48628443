"""Raw consumers against a real broker: every message is counted on each subscription."""

from array import array
from pathlib import Path

import pytest

from bench import raw_consumer, raw_producer
from bench.servers import Server

pytestmark = pytest.mark.official


def test_every_subscription_gets_everything(
    magnetar: Server, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["a", "b"]
    raw_consumer.run(magnetar.port, topic, names, messages=0, seconds=0)
    raw_producer.run(magnetar.port, [topic], 1024, seconds=30, messages=2500)
    arrivals_path = tmp_path / "arrivals"
    figures = raw_consumer.run(magnetar.port, topic, names, 2500, 30, str(arrivals_path))
    assert figures["messages"] == 5000
    assert len(array("d", arrivals_path.read_bytes())) == 5000
    assert capsys.readouterr().out == "ready\nready\n"


def test_time_is_up_without_messages(magnetar: Server, topic: str) -> None:
    figures = raw_consumer.run(magnetar.port, topic, ["a"], messages=1, seconds=0.01)
    assert figures["messages"] == 0
