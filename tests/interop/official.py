"""What tests do with the official client, in their own words: numbered messages out and in."""

import json
import os
import time
import urllib.request
from collections.abc import Iterable, Sequence
from typing import Any, Self

import pulsar
from pulsar import ConsumerType, InitialPosition

from bench.servers import Server

RECEIVE_TIMEOUT_MS = 20_000
SILENCE_MS = 700
"""How long nothing must come before a test believes that nothing will."""


class Session:
    """One official client and short forms for what the tests need from it."""

    def __init__(self, server: Server, *, quiet: bool = False) -> None:
        self.server = server
        self.client = pulsar.Client(
            server.service_url,
            operation_timeout_seconds=30,
            logger=_logger(quiet),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def producer(self, topic: str, *, batched: bool, **options: Any) -> pulsar.Producer:
        """A producer whose full queue blocks instead of failing."""
        options = {"send_timeout_millis": 60_000, **options}
        return self.client.create_producer(
            topic,
            batching_enabled=batched,
            batching_max_publish_delay_ms=5,
            block_if_queue_full=True,
            **options,
        )

    def consumer(
        self, topic: str, kind: ConsumerType = ConsumerType.Exclusive, **options: Any
    ) -> pulsar.Consumer:
        """A consumer of subscription "sub" that starts with the first message."""
        options = {"initial_position": InitialPosition.Earliest, **options}
        name = options.pop("name", "sub")
        return self.client.subscribe(topic, name, consumer_type=kind, **options)

    def reader(self, topic: str, start: Any, **options: Any) -> pulsar.Reader:
        """A reader from `start` on."""
        return self.client.create_reader(topic, start, **options)

    def put_partitions(self, topic: str, count: int) -> None:
        """Creates a partitioned topic by the admin API."""
        path = topic.replace("://", "/")
        admin(self.server, "PUT", f"/admin/v2/{path}/partitions", str(count).encode())

    def delete_topic(self, topic: str) -> None:
        """Deletes a topic with its subscriptions by the admin API."""
        path = topic.replace("://", "/")
        admin(self.server, "DELETE", f"/admin/v2/{path}?force=true")

    def stats(self, topic: str) -> Any:
        """The stats of a topic by the admin API."""
        return json.loads(admin(self.server, "GET", f"/admin/v2/{topic.replace('://', '/')}/stats"))

    def permits(self, topic: str, subscription: str) -> int:
        """How many messages the consumers of a subscription wait for."""
        consumers = self.stats(topic)["subscriptions"].get(subscription, {}).get("consumers", [])
        return sum(each["availablePermits"] for each in consumers)


def _logger(quiet: bool) -> Any:
    if quiet:  # a test that kills the broker expects its client to complain
        return pulsar.FileLogger(pulsar.LoggerLevel.Error, os.devnull)
    return pulsar.ConsoleLogger(pulsar.LoggerLevel.Error)


def admin(server: Server, method: str, path: str, body: bytes | None = None) -> bytes:
    """One call of the admin API; an HTTP error is raised."""
    request = urllib.request.Request(
        server.web_url + path,
        method=method,
        data=body,
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: bytes = response.read()
    return answer


def payload_of(number: int) -> bytes:
    """Message `number`, with something behind the number so that sizes are realistic."""
    return b"%d:" % number + b"x" * 80


def number_of(message: pulsar.Message) -> int:
    """The number that `payload_of` wrote."""
    digits, _, filler = message.data().partition(b":")
    assert filler == b"x" * 80
    return int(digits)


def send_numbers(producer: pulsar.Producer, numbers: Iterable[int]) -> list[pulsar.MessageId]:
    """Sends all asynchronously and returns their ids once every receipt is in."""
    results: list[tuple[pulsar.Result, pulsar.MessageId]] = []
    expected = 0
    for number in numbers:
        producer.send_async(payload_of(number), lambda *result: results.append(result))
        expected += 1
    producer.flush()
    wait_until(lambda: len(results) == expected)
    assert {result for result, _ in results} <= {pulsar.Result.Ok}
    return [message_id for _, message_id in results]


def receive_numbers(consumer: pulsar.Consumer, count: int, *, ack: bool = True) -> list[int]:
    """The numbers of the next `count` messages, acknowledged one by one."""
    numbers = []
    for _ in range(count):
        message = consumer.receive(timeout_millis=RECEIVE_TIMEOUT_MS)
        numbers.append(number_of(message))
        if ack:
            consumer.acknowledge(message)
    return numbers


def receive_until(
    consumer: pulsar.Consumer, wanted: set[int], timeout_ms: int = RECEIVE_TIMEOUT_MS
) -> list[int]:
    """Receives and acknowledges until every wanted number came; repeats are in the answer."""
    numbers: list[int] = []
    missing = set(wanted)
    while missing:
        message = consumer.receive(timeout_millis=timeout_ms)
        consumer.acknowledge(message)
        numbers.append(number_of(message))
        missing.discard(numbers[-1])
    return numbers


def receive_rest(
    consumer: pulsar.Consumer, silence_ms: int = SILENCE_MS, *, at_least: int = 0
) -> list[int]:
    """Acknowledges whatever comes until nothing does for a while; `at_least` are awaited."""
    numbers: list[int] = []
    while True:
        wait_ms = silence_ms if len(numbers) >= at_least else RECEIVE_TIMEOUT_MS
        try:
            message = consumer.receive(timeout_millis=wait_ms)
        except pulsar.Timeout:
            return numbers
        consumer.acknowledge(message)
        numbers.append(number_of(message))


def receive_shares(
    consumers: Sequence[pulsar.Consumer], count: int, timeout_s: float = 20.0
) -> list[list[pulsar.Message]]:
    """What each of them gets of so many messages, acknowledged one by one."""
    shares: list[list[pulsar.Message]] = [[] for _ in consumers]
    deadline_s = time.monotonic() + timeout_s
    while sum(map(len, shares)) < count:
        assert time.monotonic() < deadline_s, f"of {count} came {[*map(len, shares)]}"
        for consumer, share in zip(consumers, shares, strict=True):
            try:
                message = consumer.receive(timeout_millis=20 if share else 100)
            except pulsar.Timeout:
                continue
            consumer.acknowledge(message)
            share.append(message)
    return shares


def first_seen(numbers: Iterable[int]) -> list[int]:
    """The numbers without their repeats: at-least-once may repeat, never reorder the first."""
    return list(dict.fromkeys(numbers))


def wait_until(condition: Any, timeout_s: float = 20.0) -> None:
    """Waits for something that happens in the client's own threads."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "did not happen in time"
        time.sleep(0.01)


def place_of(message_id: pulsar.MessageId) -> tuple[int, int, int]:
    """(ledger, entry, batch index) of an id."""
    return message_id.ledger_id(), message_id.entry_id(), message_id.batch_index()
