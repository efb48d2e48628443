"""Many delayed messages on a real process: produced, kill -9, then each in its time.

`python -m tests.crash.delayed_loop --messages 1000000` prints a JSON summary.
"""

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import encode_payload_command
from magnetar_proto.payloads import encode_payload, parse_metadata
from magnetar_runtime.network import SystemNetwork

from bench.memory import group_memory_bytes
from bench.servers import HOST, Magnetar, get
from tests.sim.wire_client import WireClient

TOPIC: Final = "persistent://public/default/delayed"
WINDOW: Final = 2_000
PERMITS: Final = 2_000
PARK_TIMEOUT_S: Final = 60
PRODUCE_PER_S: Final = 5_000
"""A careful guess of how many are produced in a second: none may be due before the last is in."""
INDEX_BYTES: Final = "pulsar_delayed_message_index_size_bytes"
ENTRIES_READ: Final = "magnetar_bookie_entries_read_total"
WAITING: Final = "pulsar_subscription_delayed"


@dataclass
class DelayedSummary:
    """What came of it; lateness in milliseconds after the time that the message was for.

    Attributes:
        index_bytes: The most that the index took in memory.
        memory_mb: Of the process, while all waited.
        ready_s: From the start after the kill until the index was there again.
        entries_read_again: By the broker until then: what it had to read of the backlog.
    """

    messages: int = 0
    missing: int = 0
    twice: int = 0
    early_ms_most: float = 0.0
    late_ms_median: float = 0.0
    late_ms_most: float = 0.0
    index_bytes: int = 0
    memory_mb: int = 0
    ready_s: float = 0.0
    entries_read_again: int = 0


@dataclass
class Came:
    """The messages in the order of their coming: number, and how late."""

    numbers: list[int] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)


class DelayedLoop:
    """One topic, one Shared subscription, one message every `interval_ms`."""

    def __init__(self, server: Magnetar, messages: int, per_second: int) -> None:
        self._server = server
        self._messages = messages
        self._interval_ms = 1000 / per_second
        self._first_ms = 0.0
        self._summary = DelayedSummary(messages=messages)

    async def run(self) -> DelayedSummary:
        """Produce, kill, start, consume."""
        self._server.start()
        client = await self._subscribed(Came())
        # Room for what is produced, and for a kill and a start.
        self._first_ms = 1000 * (time.time() + self._messages / PRODUCE_PER_S + 8)
        await self._produce()
        await self._until_parked(self._messages)
        await asyncio.sleep(1)  # the last bucket is being written
        self._summary.memory_mb = self._memory_mb()
        client.close()
        self._server.kill()
        began = time.monotonic()
        self._server.start()
        came = Came()
        client = await self._subscribed(came)
        await self._until_parked(self._messages)
        self._summary.ready_s = time.monotonic() - began
        self._summary.entries_read_again = self._metric(ENTRIES_READ)
        assert time.time() * 1000 < self._first_ms, "producing or starting took too long"
        await self._consume(came)
        client.close()
        return self._judged(came)

    async def _produce(self) -> None:
        client = await WireClient.open(SystemNetwork(), HOST, self._server.port)
        await client.ask(api.CommandProducer, topic=TOPIC, producer_id=1, producer_name="p")
        receipts = 0
        progress = asyncio.Event()

        def receive(command: Any, _payload: bytes | None) -> None:
            nonlocal receipts
            assert isinstance(command, api.CommandSendReceipt), command
            receipts += 1
            progress.set()

        client.on_command = receive
        for number in range(self._messages):
            client.write(self._message(number))
            while number - receipts >= WINDOW:
                progress.clear()
                await progress.wait()
        while receipts < self._messages:
            progress.clear()
            await progress.wait()
        client.close()

    def _message(self, number: int) -> bytes:
        metadata = api.MessageMetadata(
            producer_name="p",
            sequence_id=number,
            publish_time=1,
            deliver_at_time=int(self._first_ms + number * self._interval_ms),
        )
        payload = encode_payload(metadata, b"x" * 100)
        send = api.CommandSend(producer_id=1, sequence_id=number)
        return encode_payload_command(send, payload) + payload

    async def _subscribed(self, came: Came) -> WireClient:
        client = await WireClient.open(SystemNetwork(), HOST, self._server.port)

        def receive(command: Any, payload: bytes | None) -> None:
            if not isinstance(command, api.CommandMessage):
                return
            assert payload is not None
            metadata, _ = parse_metadata(payload)
            came.numbers.append(metadata.sequence_id)
            came.late_ms.append(time.time() * 1000 - metadata.deliver_at_time)
            ack = api.CommandAck(
                consumer_id=1, ack_type=api.CommandAck.Individual, message_id=[command.message_id]
            )
            flow = api.CommandFlow(consumer_id=1, messagePermits=PERMITS // 2)
            client.send(ack, *([flow] if len(came.numbers) % (PERMITS // 2) == 0 else []))

        client.on_command = receive
        await client.ask(
            api.CommandSubscribe,
            topic=TOPIC,
            subscription="s",
            subType=api.CommandSubscribe.Shared,
            consumer_id=1,
            initialPosition=api.CommandSubscribe.Earliest,
        )
        client.send(api.CommandFlow(consumer_id=1, messagePermits=PERMITS))
        return client

    async def _until_parked(self, count: int) -> None:
        """Wait until the subscription says that so many messages wait."""
        deadline = time.monotonic() + PARK_TIMEOUT_S
        while self._metric(WAITING) < count:
            assert time.monotonic() < deadline, f"{self._metric(WAITING)} of {count} wait"
            self._note_index()
            await asyncio.sleep(0.05)
        self._note_index()

    async def _consume(self, came: Came) -> None:
        end_s = self._first_ms / 1000 + self._messages * self._interval_ms / 1000 + 10
        while len(came.numbers) < self._messages and time.time() < end_s:
            await asyncio.sleep(0.5)
            self._note_index()
        await asyncio.sleep(0.5)  # one that comes twice comes now

    def _note_index(self) -> None:
        self._summary.index_bytes = max(self._summary.index_bytes, self._metric(INDEX_BYTES))

    def _metric(self, name: str) -> int:
        """The sum of all samples of a metric."""
        _, text = get(self._server.web_port, "/metrics/")
        found = re.findall(rf"^{name}(?:{{.*}})? (\d+)", text.decode(), re.MULTILINE)
        return sum(map(int, found))

    def _memory_mb(self) -> int:
        process = self._server.process
        assert process is not None
        return group_memory_bytes(process.pid) >> 20

    def _judged(self, came: Came) -> DelayedSummary:
        summary = self._summary
        summary.missing = self._messages - len(set(came.numbers))
        summary.twice = len(came.numbers) - len(set(came.numbers))
        summary.early_ms_most = round(max(0.0, -min(came.late_ms, default=0)), 1)
        summary.late_ms_median = round(median(came.late_ms or [0]), 1)
        summary.late_ms_most = round(max(came.late_ms, default=0), 1)
        summary.ready_s = round(summary.ready_s, 2)
        return summary


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--per-second", type=int, default=5_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="delayed-loop-") as directory:
        server = Magnetar(Path(directory))
        try:
            loop = DelayedLoop(server, options.messages, options.per_second)
            summary = asyncio.run(loop.run())
        finally:
            server.kill()
    print(json.dumps(asdict(summary)))
    return 1 if summary.missing or summary.twice else 0


if __name__ == "__main__":
    sys.exit(main())
