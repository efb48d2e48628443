"""The families that we serve have the names and labels of Apache Pulsar's, and its counts."""

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pulsar
import pytest

from bench.servers import ApachePulsar, Magnetar, Server, get

pytestmark = [pytest.mark.interop, pytest.mark.official]

TOPIC: Final = "persistent://public/default/metrics"
SENT, TAKEN, ACKED = 10, 7, 5
ALL_LEVELS: Final = {
    "exposeTopicLevelMetricsInPrometheus": "true",
    "exposeConsumerLevelMetricsInPrometheus": "true",
    "exposeProducerLevelMetricsInPrometheus": "true",
}
NAMESPACES: Final = {"exposeTopicLevelMetricsInPrometheus": "false"}
SAME_VALUES: Final = (
    "pulsar_subscriptions_count",
    "pulsar_producers_count",
    "pulsar_consumers_count",
    "pulsar_in_messages_total",
    "pulsar_msg_backlog",
    "pulsar_subscription_back_log",
    "pulsar_subscription_unacked_messages",
    "pulsar_subscription_consumers_count",
    "pulsar_consumer_unacked_messages",
)
_SAMPLE: Final = re.compile(r"((?:pulsar|process)_\w+)\{(.*)\} (\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Samples = Mapping[str, list[tuple[dict[str, str], str]]]


def scrape(server: Server) -> Samples:
    """The samples of each name of Pulsar's."""
    status, body = get(server.web_port, "/metrics/")
    assert status == 200
    found: dict[str, list[tuple[dict[str, str], str]]] = {}
    for line in body.decode().splitlines():
        if sample := _SAMPLE.fullmatch(line):
            name, labels, value = sample.groups()
            found.setdefault(name, []).append((dict(_LABEL.findall(labels)), value))
    return found


def label_sets(samples: Samples) -> dict[str, set[frozenset[str]]]:
    """Which sets of labels each name has."""
    return {name: {frozenset(labels) for labels, _ in each} for name, each in samples.items()}


def values_of(samples: Samples, name: str) -> list[float]:
    """Those of the topic, its subscription and its clients."""
    return [float(value) for labels, value in samples[name] if labels.get("topic") == TOPIC]


def scenario(server: Server) -> Samples:
    """Some messages to a Shared consumer that keeps a few; what the server tells then."""
    server.start()
    client = pulsar.Client(
        server.service_url, logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error)
    )
    try:
        consumer = client.subscribe(TOPIC, "s", consumer_type=pulsar.ConsumerType.Shared)
        producer = client.create_producer(TOPIC)
        for _ in range(SENT):
            producer.send(b"x" * 100)
        for number in range(TAKEN):
            message = consumer.receive(timeout_millis=20_000)
            if number < ACKED:
                consumer.acknowledge(message)
        time.sleep(3)  # of the stats' interval and of the acks
        return scrape(server)
    finally:
        client.close()
        server.kill()


@pytest.mark.parametrize("switches", [ALL_LEVELS, NAMESPACES], ids=["topics", "namespaces"])
def test_names_labels_and_counts_are_apaches(tmp_path: Path, switches: dict[str, str]) -> None:
    settings = {**switches, "statsUpdateFrequencyInSecs": "1"}
    for name in ("ours", "apache"):
        (tmp_path / name).mkdir()
    ours = scenario(Magnetar(tmp_path / "ours", settings))
    apache = scenario(ApachePulsar(tmp_path / "apache", settings))
    theirs = label_sets(apache)
    mine = label_sets(ours)
    assert len(mine) > 60
    assert {name: sets for name, sets in mine.items() if theirs.get(name) != sets} == {}
    # Of a namespace Apache's counts have those of topics that it keeps for itself.
    for name in SAME_VALUES if switches is ALL_LEVELS else ():
        assert (name, values_of(ours, name)) == (name, values_of(apache, name))
