"""The SDK against a standalone, through the fault proxy, all in virtual time.

python -m tests.sim.sdk_chaos 1 2 3      runs these seeds shortly, prints the digests
"""

import asyncio
import gc
import sys
from dataclasses import dataclass, field

from magnetar import (
    Client,
    Consumer,
    ConsumerType,
    InitialPosition,
    MessageId,
    Producer,
)
from magnetar.connection import Connection
from magnetar.testing.chaos import ChaosProxy, Fault, Step, draw_plan
from magnetar_broker.config import BrokerConfig, DedupConfig
from magnetar_runtime import sim

from tests.sim.standalone import Standalone

TOPIC = "persistent://public/default/chaos"
KEEP_ALIVE_S = 2.0
CALM_S = 4.0
FAULT_S = 2.5
SLICE = 5
SLICE_EVERY_S = 2.0
RECOVERY_S = 300.0
MAX_PENDING = 200
SHORT_S = 20.0
CONSUMERS = {"all": ConsumerType.Exclusive, "shared": ConsumerType.Shared}


@dataclass
class Story:
    """What happened, for the checks.

    Attributes:
        sent: texts, by producer, in the order in which they were sent.
        ids: of their receipts, likewise.
        received: texts by subscription, in the order in which they came.
        stored: texts of the topic in the end.
        links: connections through the proxy.
        most_tasks, most_pending: how many tasks ran, and messages had no receipt, at once.
        connections: of the client that are in memory when all had come.
        left: what the client held then, by kind.
        left_closed: what there was after it was closed.
    """

    sent: dict[str, list[str]] = field(default_factory=dict)
    ids: dict[str, list[MessageId]] = field(default_factory=dict)
    received: dict[str, list[str]] = field(default_factory=dict)
    stored: list[str] = field(default_factory=list)
    links: int = 0
    most_tasks: int = 0
    most_pending: int = 0
    connections: int = 0
    left: dict[str, int] = field(default_factory=dict)
    left_closed: dict[str, int] = field(default_factory=dict)

    def check(self) -> None:
        """The promises."""
        everything = sorted(text for texts in self.sent.values() for text in texts)
        assert sorted(self.stored) == everything, "each is stored once"
        for texts in (self.stored, *self.received.values()):
            first = list(dict.fromkeys(texts))
            assert sorted(first) == everything, "nothing is lost"
        for name, sent in self.sent.items():
            for texts in (self.stored, self.received["all"]):
                first = [each for each in dict.fromkeys(texts) if each.startswith(name)]
                assert first == sent, "nothing overtakes"
            # What was stored already when it was sent again has no place of its own.
            placed = [each for each in self.ids[name] if each.ledger_id() >= 0]
            assert placed == sorted(placed)
        assert self.links > 2 * len(Fault), "the faults did reach the client"
        assert self.most_tasks < 30
        assert self.most_pending <= 2 * MAX_PENDING
        assert self.connections <= 2
        assert not any(self.left.values()), self.left
        assert not any(self.left_closed.values()), self.left_closed


def plan_of(seed: int, seconds: float) -> list[Step]:
    """Each fault once, a stall that keep-alive must notice, then as the seed draws them."""
    each = [Step(1, fault, 2) for fault in Fault]
    stall = Step(1, Fault.STALL, 2.5 * KEEP_ALIVE_S)
    return [*each, stall, *draw_plan(seed, seconds, calm_s=CALM_S, fault_s=FAULT_S)]


async def produce(story: Story, name: str, producer: Producer, stop: asyncio.Event) -> None:
    """Send numbers until it is told to stop; wait for all receipts."""
    texts = story.sent[name] = []
    receipts: list[asyncio.Future[MessageId]] = []
    while not stop.is_set():
        for _ in range(SLICE):
            await producer.room()
            texts.append(f"{name}-{len(texts)}")
            receipts.append(producer.send_nowait(texts[-1].encode()))
        await asyncio.sleep(SLICE_EVERY_S)
    story.ids[name] = await asyncio.gather(*receipts)


async def consume(texts: list[str], consumer: Consumer) -> None:
    """Note and acknowledge all that comes, until it is cancelled."""
    async for message in consumer:
        texts.append(message.data().decode())
        await consumer.acknowledge(message)


async def watch(story: Story, producers: list[Producer]) -> None:
    """Note how much there is at once, of client and broker."""
    while True:
        await asyncio.sleep(1)
        story.most_tasks = max(story.most_tasks, len(asyncio.all_tasks()))
        pending = sum(p.core.waiting_messages for each in producers for p in each.partitions)
        story.most_pending = max(story.most_pending, pending)


def count_connections() -> int:
    """Those of clients that are still in memory."""
    gc.collect()
    return sum(isinstance(each, Connection) for each in gc.get_objects())


def held(producers: list[Producer], consumers: list[Consumer]) -> dict[str, int]:
    """What must be nothing when all is sent, received and acknowledged."""
    sources = [source for each in consumers for source in each.sources.values()]
    links = {id(each.connection): each.connection for each in sources if each.connection}
    return {
        "sends": sum(p.core.waiting_messages for each in producers for p in each.partitions),
        "messages": sum(len(each.inbox) for each in consumers),
        "acknowledgements": sum(each.core.acks.count for each in sources),
        "batches": sum(len(each.core.acks._open_batches) for each in sources),
        "due": sum(len(each._due._refused) + len(each._due._unacked) for each in sources),
        "requests": sum(len(each._requests) for each in links.values()),
        "attaching": sum(each._reattaching is not None for each in sources),
        "strangers": sum(
            len(each.producers) + len(each.consumers) - len(producers) - len(sources)
            for each in links.values()
        ),
    }


async def work(world: sim.Simulation, client: Client, proxy: ChaosProxy, seconds: float) -> Story:
    """Send and receive while the plan happens, then until all has come."""
    story = Story()
    consumers = [
        await client.subscribe(
            TOPIC, name, consumer_type=kind, initial_position=InitialPosition.Earliest
        )
        for name, kind in CONSUMERS.items()
    ]
    producers = [
        await client.create_producer(
            TOPIC,
            name,
            send_timeout_millis=0,
            batching_enabled=name == "batched",
            max_pending_messages=MAX_PENDING,
        )
        for name in ("batched", "single")
    ]
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        beside = [group.create_task(watch(story, producers))]
        for name, consumer in zip(CONSUMERS, consumers, strict=True):
            story.received[name] = []
            beside.append(group.create_task(consume(story.received[name], consumer)))
        sending = [
            group.create_task(produce(story, each.producer_name(), each, stop))
            for each in producers
        ]
        await proxy.run(plan_of(world.seed, seconds))
        stop.set()
        async with asyncio.timeout(RECOVERY_S):
            await asyncio.gather(*sending)
            count = sum(map(len, story.sent.values()))
            while any(len(set(texts)) < count for texts in story.received.values()):
                await asyncio.sleep(0.1)
        await asyncio.sleep(1)  # acknowledgements are told together, a little later
        for task in beside:
            task.cancel()
    story.connections = count_connections()
    story.left = held(producers, consumers)
    return story


async def read(client: Client) -> list[str]:
    """What the topic holds."""
    reader = await client.create_reader(TOPIC, MessageId.earliest)
    texts = []
    while await reader.has_message_available():
        texts.append((await reader.read_next()).data().decode())
    return texts


async def main(world: sim.Simulation, seconds: float) -> tuple[Story, str]:
    """All of it."""
    config = BrokerConfig(dedup=DedupConfig(enabled=True))
    machine = Standalone(world, config)
    await machine.start()
    proxy = ChaosProxy(
        "broker", 6650, seed=world.seed, network=world.node("proxy").network, own_host="proxy"
    )
    await proxy.start(6650)
    node = world.node("client")

    def client_of(url: str) -> Client:
        return Client(
            url,
            connection_timeout_ms=5_000,
            keep_alive_interval_ms=round(KEEP_ALIVE_S * 1000),
            network=node.network,
            clock=node.clock,
            rng=node.rng,
        )

    before = asyncio.all_tasks()
    async with client_of(proxy.service_url) as keeper:
        # Nothing is trimmed while this subscription has acknowledged nothing.
        await keeper.subscribe(TOPIC, "keeper", initial_position=InitialPosition.Earliest)
    client = client_of(proxy.service_url)
    story = await work(world, client, proxy, seconds)
    story.links = proxy.accepted
    await client.close()
    await asyncio.sleep(1)
    new = len(asyncio.all_tasks() - before)
    story.left_closed = {
        "tasks": new,
        "links": proxy.open_links,
        "connections": count_connections(),
    }
    async with client_of("pulsar://broker:6650") as reading:
        story.stored = await read(reading)
    await proxy.close()
    await machine.stop()
    return story, world.trace.digest()


def run(seed: int, seconds: float) -> tuple[Story, str]:
    """Run it under a seed: so many seconds of faults, and what it takes to recover."""
    return sim.run(
        lambda world: main(world, seconds),
        seed=seed,
        max_time_s=seconds + 2 * RECOVERY_S,
        max_turns=20_000_000,
    )


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(argument, run(int(argument), SHORT_S)[1])
