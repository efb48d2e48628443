"""kill -9 while messages are sent, again and again: with deduplication none is there twice.

`python -m tests.crash.dedup_loop --messages 50000` prints a JSON summary; it fails if one is.
"""

import argparse
import json
import random
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import pulsar
from pulsar import MessageId

from bench.servers import ApachePulsar, Magnetar, Server
from tests.crash.load import KEEPER
from tests.interop.official import Session, number_of, payload_of, wait_until

SETTINGS: Final = {"brokerDeduplicationEnabled": "true"}
MESSAGES_PER_KILL: Final = 2_500
FLUSH_TIMEOUT_S: Final = 60.0
READ_TIMEOUT_MS: Final = 20_000


@dataclass
class DedupSummary:
    """What the cycles gave.

    Attributes:
        messages: Different ones.
        resent: Sent again by the application, on top of what the client sends again by itself.
        wrong: Topics that do not hold each message once and in order.
    """

    messages: int = 0
    resent: int = 0
    kills: int = 0
    wrong: int = 0


class Sender:
    """A producer of one name that begins again somewhere before its end, in each cycle.

    Batches are not cut again: an application that sends again what it had sent in a batch cannot
    expect that the batch is the same. So the batched one only goes on, and its client sends again.
    """

    def __init__(self, topic: str, *, batched: bool) -> None:
        self.topic = topic
        self.batched = batched
        self.end = 0
        self.sent = 0

    def numbers(self, rng: random.Random, count: int) -> range:
        """What to send in this cycle: from anywhere before the end to `count` behind it."""
        start = self.end if self.batched or not self.end else rng.randrange(self.end)
        self.end += count
        self.sent += self.end - start
        return range(start, self.end)


class DedupLoop:
    """Cycles of sending with a kill at a random place, on one data directory."""

    def __init__(self, server: Server, rng: random.Random) -> None:
        self.server = server
        self.summary = DedupSummary()
        self._rng = rng
        base = "persistent://public/default/dedup"
        self._senders = [
            Sender(f"{base}-single", batched=False),
            Sender(f"{base}-batched", batched=True),
        ]

    def run(self, messages: int) -> DedupSummary:
        """Sends so many different messages to each topic, then reads all."""
        self.server.start()
        with Session(self.server) as session:
            for sender in self._senders:
                session.consumer(sender.topic, name=KEEPER).close()
        # A topic has two cycles at least: the first one has nothing to send again.
        step = min(MESSAGES_PER_KILL, -(-messages // 2))
        for first in range(0, messages, step):
            for sender in self._senders:
                self._cycle(sender, min(step, messages - first))
        self.summary.messages = messages * len(self._senders)
        sent = sum(sender.sent for sender in self._senders)
        self.summary.resent = sent - self.summary.messages
        self.summary.wrong = sum(
            self._read(each) != list(range(each.end)) for each in self._senders
        )
        self.server.stop()
        return self.summary

    def _cycle(self, sender: Sender, count: int) -> None:
        end = sender.end
        numbers = sender.numbers(self._rng, count)
        kill_at = self._rng.choice(numbers)
        ended: list[pulsar.Result] = []

        def done(result: pulsar.Result, _: MessageId) -> None:
            ended.append(result)

        with Session(self.server, quiet=True) as session:
            producer = session.producer(
                sender.topic, batched=sender.batched, producer_name="p", max_pending_messages=500
            )
            last = producer.last_sequence_id()
            assert last == end - 1, f"last of {sender.topic} is {last}, not {end - 1}"
            for number in numbers:
                producer.send_async(payload_of(number), done, sequence_id=number)
                if number == kill_at:
                    self.server.kill()
                    self.summary.kills += 1
                    self.server.start()
            producer.flush()
            wait_until(lambda: len(ended) == len(numbers), FLUSH_TIMEOUT_S)
        assert set(ended) == {pulsar.Result.Ok}, set(ended)

    def _read(self, sender: Sender) -> list[int]:
        numbers = []
        with Session(self.server) as session:
            reader = session.reader(sender.topic, MessageId.earliest)
            while reader.has_message_available():
                numbers.append(number_of(reader.read_next(timeout_millis=READ_TIMEOUT_MS)))
        return numbers


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--apache", action="store_true", help="Apache Pulsar, for comparison")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dedup-loop-") as directory:
        kind = ApachePulsar if options.apache else Magnetar
        loop = DedupLoop(kind(Path(directory), SETTINGS), random.Random(options.seed))
        summary = loop.run(options.messages)
    print(json.dumps({"seed": options.seed, **asdict(summary)}))
    return 1 if summary.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
