"""`magnetar perf` sends and receives so many, and tells how fast."""

import json

from magnetar.testing import Broker

from tests.cli.test_produce_command import run


def test_so_many_are_sent_and_received(magnetar_broker: Broker, magnetar_topic: str) -> None:
    options = ["-m", "2000", "-o", "json"]
    sent = json.loads(run(magnetar_broker, "perf", "produce", magnetar_topic, *options, "-s", "10"))
    assert sent["messages"] == 2000
    assert 0 < sent["p50_ms"] <= sent["p99.9_ms"] <= sent["max_ms"]
    consume = ["perf", "consume", magnetar_topic, "-sp", "earliest"]
    got = json.loads(run(magnetar_broker, *consume, *options))
    assert got["messages"] == 2000
    assert got["messages_per_s"] > 0


def test_a_rate_and_a_time_are_kept(magnetar_broker: Broker, magnetar_topic: str) -> None:
    options = ["-time", "0.5", "-r", "100", "--no-batching"]
    figures = run(magnetar_broker, "perf", "produce", magnetar_topic, *options).splitlines()
    assert 1 <= int(figures[0].removeprefix("messages ")) <= 51
