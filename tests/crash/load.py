"""The load of a kill cycle: producers of the official client that live through the kill."""

import itertools
import threading
from typing import Final

import pulsar
from pulsar import MessageId

from bench.servers import Server
from tests.crash.history import Verdict, judge
from tests.interop.official import Session, wait_until

KEEPER: Final = "keeper"
"""A subscription that never acknowledges, so that nothing is trimmed."""
PATIENCE_S: Final = 60.0
"""How long a client waits for a receipt or a message."""


class LoggedProducer:
    """A producer that remembers what it sent and which receipts came.

    Attributes:
        key: Tells its messages apart from those of others on the topic.
        sent: Numbers 0..sent-1 were handed to the client.
        acknowledged: Numbers with a receipt.
        failures: Results other than Ok; none is expected as the client retries.
    """

    def __init__(
        self, session: Session, topic: str, key: int, patience_s: float, *, batched: bool
    ) -> None:
        self.topic = topic
        self.key = key
        self.sent = 0
        self.acknowledged: set[int] = set()
        self.failures: list[pulsar.Result] = []
        self.read: list[int] = []
        self._patience_s = patience_s
        self._producer = session.producer(
            topic,
            batched=batched,
            max_pending_messages=500,
            send_timeout_millis=int(patience_s * 1000),
        )

    def send(self) -> None:
        """Sends the next number without waiting for its receipt."""
        number = self.sent
        self.sent += 1
        content = b"%d:%d:" % (self.key, number) + b"x" * 100

        def done(result: pulsar.Result, _: MessageId) -> None:
            if result == pulsar.Result.Ok:
                self.acknowledged.add(number)
            else:
                self.failures.append(result)

        self._producer.send_async(content, done)

    def settle(self) -> None:
        """Waits until everything sent has its receipt."""
        self._producer.flush()
        wait_until(
            lambda: len(self.acknowledged) + len(self.failures) == self.sent, self._patience_s
        )

    def verdict(self) -> Verdict:
        """Judges what was read."""
        return judge(self.sent, self.acknowledged, self.read)


class Load:
    """Several producers, batched and not, alone on a topic and together on one."""

    def __init__(
        self, server: Server, session: Session, prefix: str, patience_s: float = PATIENCE_S
    ) -> None:
        self.server = server
        self._patience_s = patience_s
        layout = [("alone", False), ("batches", True), ("both", False), ("both", True)]
        self.producers = [
            LoggedProducer(session, f"{prefix}-{name}", key, patience_s, batched=batched)
            for key, (name, batched) in enumerate(layout)
        ]
        for topic in self.topics:
            session.consumer(topic, name=KEEPER).close()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send_all, name="load", daemon=True)

    @property
    def topics(self) -> list[str]:
        """The topics that are written."""
        return sorted({producer.topic for producer in self.producers})

    def start(self) -> None:
        """Begins to send from a thread of its own."""
        self._thread.start()

    def abandon(self) -> None:
        """Sends no more and waits for nothing."""
        self._stopping.set()

    def stop(self) -> None:
        """Stops sending and waits for all receipts."""
        self.abandon()
        self._thread.join()
        for producer in self.producers:
            producer.settle()

    def _send_all(self) -> None:
        for producer in itertools.cycle(self.producers):
            if self._stopping.is_set():
                return
            try:
                producer.send()
            except pulsar.AlreadyClosed:  # abandoned while it waited for room
                return

    def read_all(self) -> int:
        """Reads every topic from the first message on; returns how many messages there were."""
        by_key = {producer.key: producer for producer in self.producers}
        for producer in self.producers:
            producer.read = []
        count = 0
        with Session(self.server) as session:
            for topic in self.topics:
                reader = session.reader(topic, MessageId.earliest)
                while reader.has_message_available():
                    message = reader.read_next(timeout_millis=int(self._patience_s * 1000))
                    key, number, _ = message.data().split(b":")
                    by_key[int(key)].read.append(int(number))
                    count += 1
        return count
