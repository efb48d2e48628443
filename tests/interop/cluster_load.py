"""Producers and consumers of the official client that go on while a cluster is hurt."""

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import pulsar

from tests.interop.official import wait_until

TYPES: Final = (
    pulsar.ConsumerType.Exclusive,
    pulsar.ConsumerType.Failover,
    pulsar.ConsumerType.Shared,
    pulsar.ConsumerType.KeyShared,
)
_KEYS: Final = 5
CATCH_UP_S: Final = 120.0
"""Clients that were refused come again after a back-off of up to a minute."""


class Flow:
    """One topic with a producer that sends without an end, and a consumer of one type."""

    def __init__(self, client: pulsar.Client, topic: str, kind: pulsar.ConsumerType) -> None:
        self.topic = topic
        self.kind = kind
        self.sent = 0
        self.acknowledged: set[int] = set()
        self.failures: list[Any] = []
        self.came: list[int] = []
        self.longest_s = 0.0  # between two receipts
        self._last_s = 0.0
        self._settled = 0
        self._consumer = client.subscribe(
            topic,
            "sub",
            consumer_type=kind,
            initial_position=pulsar.InitialPosition.Earliest,
            message_listener=self._heard,
        )
        self._producer = client.create_producer(
            topic,
            send_timeout_millis=0,
            block_if_queue_full=True,
            max_pending_messages=200,
            batching_enabled=False,
        )

    def send(self) -> None:
        number, self.sent = self.sent, self.sent + 1
        key = f"key-{number % _KEYS}"

        def ended(result: Any, _: Any) -> None:
            self._settled += 1
            if result == pulsar.Result.Ok:
                self.acknowledged.add(number)
                self._receipt_came()
            else:
                self.failures.append(result)

        self._producer.send_async(b"%d" % number, ended, partition_key=key)

    def _receipt_came(self) -> None:
        now_s = time.monotonic()
        if self._last_s:
            self.longest_s = max(self.longest_s, now_s - self._last_s)
        self._last_s = now_s

    def begin_measuring(self) -> None:
        """From now on, the time until the next receipt included."""
        self.longest_s, self._last_s = 0.0, time.monotonic()

    def _heard(self, consumer: pulsar.Consumer, message: pulsar.Message) -> None:
        self.came.append(int(message.data()))
        consumer.acknowledge(message)

    @property
    def settled(self) -> bool:
        return self._settled == self.sent

    @property
    def has_all(self) -> bool:
        return self.acknowledged <= set(self.came)

    def check(self) -> None:
        assert self.failures == [], self.topic
        missing = self.acknowledged - set(self.came)
        assert not missing, f"{self.topic}: acknowledged and lost: {sorted(missing)[:10]}"
        firsts = list(dict.fromkeys(self.came))
        if self.kind in (pulsar.ConsumerType.Exclusive, pulsar.ConsumerType.Failover):
            assert firsts == sorted(firsts), self.topic
        elif self.kind == pulsar.ConsumerType.KeyShared:
            by_key: dict[int, list[int]] = defaultdict(list)
            for number in firsts:
                by_key[number % _KEYS].append(number)
            assert all(numbers == sorted(numbers) for numbers in by_key.values()), self.topic


class Load(threading.Thread):
    """Sends on all flows until it is stopped."""

    def __init__(self, flows: list[Flow]) -> None:
        super().__init__(daemon=True)
        self._flows = flows
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.02):
            for flow in self._flows:
                if flow.sent - len(flow.acknowledged) < 150:  # else the others would wait for it
                    flow.send()

    def stop(self) -> None:
        self._ended.set()
        self.join()


def check_all(flows: Sequence[Flow]) -> int:
    """Wait for the rest, check that nothing was lost; how many messages were sent."""
    wait_until(lambda: all(flow.settled for flow in flows), CATCH_UP_S)
    wait_until(lambda: all(flow.has_all for flow in flows), CATCH_UP_S)
    for flow in flows:
        flow.check()
    return sum(flow.sent for flow in flows)
