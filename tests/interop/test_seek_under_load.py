"""Seeking and resetting while messages come in: what follows is the place asked for, in order."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from urllib.parse import quote

import pulsar
import pytest
from pulsar import ConsumerType, MessageId

from bench.servers import Server
from tests.interop.official import (
    RECEIVE_TIMEOUT_MS,
    Session,
    admin,
    number_of,
    payload_of,
    place_of,
    receive_until,
    wait_until,
)

SEEKS = 4
LEAST = 300
"""Messages between two seeks."""


class Load:
    """A producer that sends numbers until it is told to end."""

    def __init__(self, producer: pulsar.Producer) -> None:
        self.ids: list[MessageId] = []
        self.sent = 0
        self._producer = producer
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> int:
        """Ends it with one more message, so that there is one to wait for; how many were sent."""
        self._ending.set()
        self._thread.join()
        self._send(self.sent)
        self._producer.flush()
        wait_until(lambda: len(self.ids) == self.sent)
        return len(self.ids)

    def _run(self) -> None:
        for number in count():
            if self._ending.is_set():
                return
            self._send(number)
            time.sleep(0.0005)

    def _send(self, number: int) -> None:
        self.sent += 1
        self._producer.send_async(payload_of(number), self._stored)

    def _stored(self, result: pulsar.Result, message_id: MessageId) -> None:
        assert result == pulsar.Result.Ok
        self.ids.append(message_id)


@pytest.fixture
def make_load(session: Session, topic: str) -> Iterator[Callable[..., Load]]:
    """Begins to send to the topic; ends with the test."""
    loads: list[Load] = []

    def make(*, batched: bool) -> Load:
        loads.append(Load(session.producer(topic, batched=batched)))
        return loads[-1]

    yield make
    for load in loads:
        load.end()


both_ways = pytest.mark.parametrize("batched", [False, True], ids=["single", "batched"])
ordered_kind = pytest.mark.parametrize(
    "kind", [ConsumerType.Exclusive, ConsumerType.Failover], ids=lambda kind: kind.name
)


def _receive(consumer: pulsar.Consumer, count_: int, *, ack: bool = True) -> list[pulsar.Message]:
    messages = [consumer.receive(timeout_millis=RECEIVE_TIMEOUT_MS) for _ in range(count_)]
    if ack:
        for message in messages:
            consumer.acknowledge(message)
    return messages


def _check_run(numbers: list[int]) -> None:
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@both_ways
@ordered_kind
def test_seek_by_id(
    session: Session,
    topic: str,
    make_load: Callable[..., Load],
    kind: ConsumerType,
    batched: bool,
) -> None:
    consumer = session.consumer(topic, kind, start_message_id_inclusive=True)
    load = make_load(batched=batched)
    for step in range(SEEKS):
        messages = _receive(consumer, LEAST)
        _check_run([number_of(message) for message in messages])
        target = messages[37 * (step + 1)]
        consumer.seek(target.message_id())
        messages = _receive(consumer, LEAST)
        assert place_of(messages[0].message_id()) == place_of(target.message_id())
        _check_run([number_of(message) for message in messages])
    total = load.end()
    came = receive_until(consumer, {total - 1})
    _check_run([number_of(messages[-1]), *came])


def test_seek_by_time(session: Session, topic: str, make_load: Callable[..., Load]) -> None:
    consumer = session.consumer(topic)
    make_load(batched=False)
    for _ in range(SEEKS):
        messages = _receive(consumer, LEAST)
        published_ms = messages[LEAST // 2].publish_timestamp()
        first = next(each for each in messages if each.publish_timestamp() >= published_ms)
        consumer.seek(published_ms)
        messages = _receive(consumer, LEAST)
        assert number_of(messages[0]) == number_of(first)
        _check_run([number_of(message) for message in messages])


def test_seek_of_a_shared_subscription_loses_nothing(
    session: Session, topic: str, make_load: Callable[..., Load]
) -> None:
    consumer = session.consumer(topic, ConsumerType.Shared, start_message_id_inclusive=True)
    load = make_load(batched=False)
    target = 0
    for _ in range(SEEKS):
        target = number_of(_receive(consumer, LEAST)[LEAST // 3])
        consumer.seek(load.ids[target])
    total = load.end()
    came = receive_until(consumer, set(range(target, total)))
    assert min(came) == target


def test_reset_over_http_by_time_and_position(
    session: Session, broker: Server, topic: str, make_load: Callable[..., Load]
) -> None:
    """The consumer is sent away and comes again by itself; it may have older messages queued.

    Nothing is acknowledged, as an ack may reach the broker behind the reset, which then heeds it.
    """
    consumer = session.consumer(topic)
    load = make_load(batched=False)
    path = f"/admin/v2/{topic.replace('://', '/')}/subscription/{quote('sub')}/resetcursor"
    for step in range(SEEKS):
        messages = _receive(consumer, LEAST, ack=False)
        target = messages[LEAST // 2]
        if step % 2:
            id_ = target.message_id()
            body = b'{"ledgerId": %d, "entryId": %d}' % (id_.ledger_id(), id_.entry_id())
            admin(broker, "POST", path, body)
        else:
            published_ms = target.publish_timestamp()
            target = next(each for each in messages if each.publish_timestamp() >= published_ms)
            admin(broker, "POST", f"{path}/{published_ms}")
        _receive_from(consumer, number_of(target))
    total = load.end()
    receive_until(consumer, {total - 1})


def _receive_from(consumer: pulsar.Consumer, first: int) -> None:
    """Takes what was queued before the reset, then checks what comes from there on."""
    while (number := number_of(_receive(consumer, 1, ack=False)[0])) != first:
        assert number > first
    messages = _receive(consumer, LEAST, ack=False)
    _check_run([first, *map(number_of, messages)])
