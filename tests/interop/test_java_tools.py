"""pulsar-admin and the Java client do with topics here what they do with Apache Pulsar."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.servers import Server
from tests.interop.java_tools import admin_batch, java_program
from tests.interop.official import Session, send_numbers

pytestmark = pytest.mark.interop


def test_life_of_topics_by_pulsar_admin(
    broker: Server, new_topic: Callable[[], str], tmp_path: Path
) -> None:
    parted, plain, none = new_topic(), new_topic(), new_topic()
    volatile = f"non-{new_topic()}"
    steps = [
        (f"create-partitioned-topic {parted} -p 2", 0),
        (f"create-partitioned-topic {parted} -p 2", 1),
        (f"create-subscription -s s {parted}", 0),
        (f"update-partitioned-topic {parted} -p 4", 0),
        (f"update-partitioned-topic {parted} -p 3", 1),
        (f"get-partitioned-topic-metadata {parted}", 0),
        (f"subscriptions {parted}-partition-3", 0),
        (f"create-missed-partitions {parted}", 0),
        (f"reset-cursor -s s -t 1h {parted}", 0),
        (f"reset-cursor -s s -m 0:0 {parted}", 1),
        (f"reset-cursor -s s -m 0:0 -e {parted}-partition-0", 0),
        (f"reset-cursor -s none -t 1h {parted}-partition-0", 1),
        (f"partitioned-stats {parted} --per-partition", 0),
        (f"stats {parted}-partition-0", 0),
        (f"stats-internal {parted}-partition-0", 0),
        (f"partitioned-stats-internal {parted}", 0),
        (f"unload {parted}", 0),
        (f"terminate {parted}", 1),
        (f"partitioned-terminate {parted}", 0),
        (f"create {plain}", 0),
        (f"terminate {plain}", 0),
        (f"unsubscribe -s s {parted}", 0),
        (f"unsubscribe -s s {parted}-partition-0", 1),
        (f"delete-partitioned-topic {parted}", 0),
        (f"delete {plain}", 0),
        (f"create-partitioned-topic {volatile} -p 2", 0),
        (f"update-partitioned-topic {volatile} -p 3", 0),
        (f"delete-partitioned-topic {volatile}", 0),
        *((f"{verb} {none}", 1) for verb in ("stats", "unload", "terminate")),
    ]
    outcomes = admin_batch(broker, tmp_path, [f"topics {step}" for step, _ in steps])
    found = [(each.line.removeprefix("topics "), each.exit_code) for each in outcomes]
    assert found == steps
    by_line = {each.line: each.output for each in outcomes}
    assert by_line[f"topics subscriptions {parted}-partition-3"].split() == ["s"]
    stats = json.loads(by_line[f"topics partitioned-stats {parted} --per-partition"])
    assert (stats["metadata"]["partitions"], len(stats["partitions"])) == (4, 4)


def test_java_client_hears_of_new_topics_at_once(
    broker: Server, new_topic: Callable[[], str], tmp_path: Path
) -> None:
    base = new_topic()
    with Session(broker) as session:
        send_numbers(session.producer(f"{base}-a", batched=False), range(1))
        args = (broker.service_url, f"{base}-.*", "3")
        with java_program(broker, tmp_path, "PatternConsumer", *args) as java:
            assert java.stdout is not None
            assert java.stdout.readline() == "ready\n"
            send_numbers(session.producer(f"{base}-b", batched=False), range(1, 2))
            session.put_partitions(f"{base}-c", 1)
            send_numbers(session.producer(f"{base}-c", batched=False), range(2, 3))
            lines = [java.stdout.readline().split() for _ in range(3)]
            assert java.wait(30) == 0
    topics = [f"{base}-a", f"{base}-b", f"{base}-c-partition-0"]
    assert sorted(topic for topic, _ in lines) == topics


def test_java_client_reconsumes_later_until_a_message_is_dead(
    broker: Server, topic: str, tmp_path: Path
) -> None:
    with java_program(broker, tmp_path, "RetryLetters", broker.service_url, topic, "3") as java:
        assert java.stdout is not None
        lines = java.stdout.read().splitlines()
        assert java.wait(30) == 0
    values = [f"m{number}" for number in range(3)]
    retries = [f"retries {value} {times}" for value in values for times in range(3)]
    assert sorted(lines) == sorted([*retries, *(f"dead {value}" for value in values)])
