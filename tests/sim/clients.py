"""Producers and consumers of a simulation, and what they must have seen in the end.

Producers send numbered messages again until each has its receipt; a consumer reads and acknowledges
until it has seen all; an auditor reads what is stored.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.payloads import parse_metadata
from magnetar_runtime.network import Network

from tests.broker.client import send_frame
from tests.sim.wire_client import RefusedError, WireClient

TOPIC = "persistent://public/default/orders"
PRODUCERS = 2
MESSAGES = 60
BATCH = 7
READ_AHEAD = 10
"""Permits of the consumer: a few, so that much is still to be read when a broker ends."""

RETRY_S = 0.1
QUIET_S = 5.0
"""When nothing has come for so long and nothing is broken, nothing more will."""


@dataclass
class Seen:
    """What clients saw.

    Attributes:
        sent: How often each text went out.
        acknowledged: Texts of messages with receipts.
        delivered: Texts of messages in the order in which they came.
        stored: What was on the topic in the end; None if it may have been trimmed.
        stuck: Clients that were not done long after the last fault.
        connections: How many the clients needed.
        brokers: How many there were, one after another.
    """

    sent: Counter[str] = field(default_factory=Counter)
    acknowledged: set[str] = field(default_factory=set)
    delivered: list[str] = field(default_factory=list)
    stored: list[str] | None = None
    stuck: list[str] = field(default_factory=list)
    connections: int = 0
    brokers: int = 0

    @property
    def is_all_delivered(self) -> bool:
        return len(set(self.delivered)) == PRODUCERS * MESSAGES

    def check(self) -> None:
        """The promises."""
        if self.stored is not None:
            self._check_texts(self.stored)
            more = Counter(self.stored) - self.sent
            assert not more, f"stored more often than sent: {more}"
        self._check_texts(self.delivered)
        assert not self.stuck

    def _check_texts(self, texts: list[str]) -> None:
        """Nothing acknowledged is missing, and what each producer sent comes in its order (the
        first time that it comes)."""
        first = list(dict.fromkeys(texts))
        missing = self.acknowledged.difference(first)
        assert not missing, f"acknowledged and missing: {sorted(missing)}"
        for producer in range(PRODUCERS):
            numbers = [int(text.split("-")[1]) for text in first if text[0] == str(producer)]
            assert numbers == list(range(MESSAGES)), f"producer {producer}: {numbers}"


async def produce(network: Network, number: int, rng: Random, seen: Seen) -> None:
    """Send all messages, a batch at a time, each again until it is acknowledged."""
    waiting = [f"{number}-{i}" for i in range(MESSAGES)]
    while waiting:
        try:
            client = await WireClient.open(network, "broker", 6650)
            seen.connections += 1
            await client.ask(api.CommandProducer, topic=TOPIC, producer_id=1)
            while waiting:
                seen.sent.update(waiting[:BATCH])
                await _publish(client, waiting[:BATCH])
                seen.acknowledged.update(waiting[:BATCH])
                del waiting[:BATCH]
                await asyncio.sleep(rng.random() * 0.1)
            client.close()
        except (OSError, RefusedError):
            await asyncio.sleep(RETRY_S)


async def _publish(client: WireClient, texts: list[str]) -> None:
    """Send messages in one write and wait for their receipts."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    receipts: list[int] = []

    def receive(command: Any, payload: bytes | None) -> None:
        if done.done():
            return
        if isinstance(command, api.CommandSendReceipt):
            receipts.append(command.sequence_id)
            if len(receipts) == len(texts):
                done.set_result(None)
        else:
            done.set_exception(RefusedError(str(command)))

    client.on_command = receive
    client.lost.add_done_callback(
        lambda _: done.done() or done.set_exception(ConnectionResetError("lost"))
    )
    client.write(
        b"".join(
            send_frame(api.CommandSend(producer_id=1, sequence_id=n), text.encode())
            for n, text in enumerate(texts)
        )
    )
    await done
    assert receipts == list(range(len(texts))), "receipts come in order"


async def consume(network: Network, seen: Seen) -> None:
    """Read and acknowledge until everything has come, over as many connections as it takes."""
    while not seen.is_all_delivered:
        try:
            client = await WireClient.open(network, "broker", 6650)
            seen.connections += 1
            ended = asyncio.Event()
            client.on_command = _reader(client, seen, ended)
            client.lost.add_done_callback(lambda _, event=ended: event.set())
            await _subscribe(client, "s")
            client.send(api.CommandFlow(consumer_id=1, messagePermits=READ_AHEAD))
            await ended.wait()
            client.close()
        except (OSError, RefusedError):
            await asyncio.sleep(RETRY_S)


def _reader(client: WireClient, seen: Seen, ended: asyncio.Event) -> Any:
    def receive(command: Any, payload: bytes | None) -> None:
        if not isinstance(command, api.CommandMessage):
            client.close()
            return
        seen.delivered.append(_text_of(payload))
        ack = {"ack_type": api.CommandAck.Individual, "message_id": [command.message_id]}
        client.send(
            api.CommandAck(consumer_id=1, **ack),
            api.CommandFlow(consumer_id=1, messagePermits=1),
        )
        if seen.is_all_delivered:
            ended.set()

    return receive


async def subscribe(network: Network, *subscriptions: str) -> None:
    """Make subscriptions that keep all messages from the first on."""
    client = await WireClient.open(network, "broker", 6650)
    for subscription in subscriptions:
        await _subscribe(client, subscription)
        await client.ask(api.CommandCloseConsumer, consumer_id=1)
    client.close()


async def read_all(network: Network, subscription: str) -> list[str]:
    """Texts of all that a subscription has, nothing acknowledged."""
    texts: list[str] = []
    client = await WireClient.open(network, "broker", 6650)
    client.on_command = lambda _command, payload: texts.append(_text_of(payload))
    await _subscribe(client, subscription)
    client.send(api.CommandFlow(consumer_id=1, messagePermits=1_000))
    before = -1
    while len(texts) > before:
        before = len(texts)
        await asyncio.sleep(QUIET_S)
    client.close()
    return texts


async def _subscribe(client: WireClient, subscription: str) -> None:
    await client.ask(
        api.CommandSubscribe,
        topic=TOPIC,
        subscription=subscription,
        subType=api.CommandSubscribe.Exclusive,
        consumer_id=1,
        initialPosition=api.CommandSubscribe.Earliest,
    )


def _text_of(payload: bytes | None) -> str:
    assert payload is not None
    _, start = parse_metadata(payload)
    return payload[start:].decode()
