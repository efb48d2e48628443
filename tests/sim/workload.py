"""A broker and its clients in one simulation, with a network that fails.

Producers send numbered messages again until each has its receipt; a consumer reads until it has
seen all. What must hold: nothing that was acknowledged is missing, and what each producer sent
comes in its order (the first time that it comes).

    python -m tests.sim.workload 1 2 3      runs these seeds and prints `seed digest events`
"""

import asyncio
import sys
from dataclasses import dataclass, field
from random import Random
from typing import Any

from magnetar_broker.config import BrokerConfig
from magnetar_broker.service import BrokerDeps, BrokerService
from magnetar_ledger.managed import ManagedLedger
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.payloads import parse_metadata
from magnetar_runtime import sim
from magnetar_runtime.scope import TaskScope

from tests.broker.client import send_frame
from tests.ledger.fake_bookie import Call, FakeBookie
from tests.ledger.managed.harness import QUICK, World
from tests.sim.wire_client import RefusedError, WireClient

TOPIC = "persistent://public/default/orders"
PRODUCERS = 2
MESSAGES = 60
BATCH = 7
FAULTS = 6


class TardyBookie(FakeBookie):
    """Takes a drawn time for what it does."""

    def __init__(self, name: str, rng: Random) -> None:
        super().__init__(name)
        self._rng = rng

    def _take(self, call: Call) -> None:
        self.pending.append(call)
        self.calls.append(call)
        if not self._scheduled:
            self._scheduled = True
            delay_s = self._rng.random() * 0.01
            asyncio.get_running_loop().call_later(delay_s, self.run_all)


@dataclass
class Seen:
    """What clients saw.

    Attributes:
        acknowledged: Texts of messages with receipts.
        delivered: Texts of messages in the order in which they came.
        connections: How many the clients needed.
    """

    acknowledged: set[str] = field(default_factory=set)
    delivered: list[str] = field(default_factory=list)
    connections: int = 0

    def check(self) -> None:
        """The promises."""
        first = list(dict.fromkeys(self.delivered))
        assert self.acknowledged <= set(first), self.acknowledged - set(first)
        for producer in range(PRODUCERS):
            numbers = [int(text.split("-")[1]) for text in first if text[0] == str(producer)]
            assert numbers == list(range(MESSAGES)), f"producer {producer}: {numbers}"


async def serve(world: sim.Simulation, scope: TaskScope) -> BrokerService:
    """A broker on the node `broker`, over three bookies and a store without a network."""
    cluster = World()
    cluster.bookies = [TardyBookie(f"b{n}", world.rng(f"bookie {n}")) for n in range(3)]
    deps = cluster.deps(QUICK, ensemble_size=3, write_quorum=3, ack_quorum=2)

    async def open_ledger(name: str, *, create: bool) -> ManagedLedger:
        return await ManagedLedger.open(name, deps, create)

    node = world.node("broker")
    service = BrokerService(
        BrokerConfig(), BrokerDeps(cluster.store, open_ledger, node.clock), scope
    )
    await service.start()
    await node.network.listen(service.new_connection, "broker", 6650)
    return service


async def produce(world: sim.Simulation, number: int, seen: Seen) -> None:
    """Send all messages, a batch at a time, each again until it is acknowledged."""
    waiting = [f"{number}-{i}" for i in range(MESSAGES)]
    rng = world.rng(f"producer {number}")
    network = world.node(f"producer{number}").network
    while waiting:
        try:
            client = await WireClient.open(network, "broker", 6650)
            seen.connections += 1
            await client.ask(api.CommandProducer, topic=TOPIC, producer_id=1)
            while waiting:
                await _publish(client, waiting[:BATCH])
                seen.acknowledged.update(waiting[:BATCH])
                del waiting[:BATCH]
                await asyncio.sleep(rng.random() * 0.1)
            client.close()
        except (OSError, RefusedError):
            await asyncio.sleep(0.1)


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
    numbers = range(len(texts))
    client.write(
        b"".join(
            send_frame(api.CommandSend(producer_id=1, sequence_id=n), texts[n].encode())
            for n in numbers
        )
    )
    await done
    assert receipts == list(numbers), "receipts come in order"


async def consume(world: sim.Simulation, seen: Seen) -> None:
    """Read and acknowledge until everything has come, over as many connections as it takes."""
    network = world.node("consumer").network
    while len(set(seen.delivered)) < PRODUCERS * MESSAGES:
        try:
            client = await WireClient.open(network, "broker", 6650)
            seen.connections += 1
            everything = asyncio.Event()
            client.on_command = _reader(client, seen, everything)
            client.lost.add_done_callback(lambda _, event=everything: event.set())
            await client.ask(
                api.CommandSubscribe,
                topic=TOPIC,
                subscription="s",
                subType=api.CommandSubscribe.Exclusive,
                consumer_id=1,
                initialPosition=api.CommandSubscribe.Earliest,
            )
            client.send(api.CommandFlow(consumer_id=1, messagePermits=10))
            await everything.wait()
        except (OSError, RefusedError):
            await asyncio.sleep(0.1)


def _reader(client: WireClient, seen: Seen, everything: asyncio.Event) -> Any:
    def receive(command: Any, payload: bytes | None) -> None:
        if not isinstance(command, api.CommandMessage):
            client.close()
            return
        assert payload is not None
        _, start = parse_metadata(payload)
        seen.delivered.append(payload[start:].decode())
        client.send(
            api.CommandAck(
                consumer_id=1,
                ack_type=api.CommandAck.Individual,
                message_id=[command.message_id],
            ),
            api.CommandFlow(consumer_id=1, messagePermits=1),
        )
        if len(set(seen.delivered)) == PRODUCERS * MESSAGES:
            everything.set()

    return receive


async def break_things(world: sim.Simulation) -> None:
    """Reset connections, some in mid-frame, and part clients from the broker for a while."""
    rng = world.rng("faults")
    broker = world.network.host("broker")
    for _ in range(FAULTS):
        await asyncio.sleep(rng.random() * 0.3)
        connections = world.network.connections
        if not connections:
            continue
        victim = rng.choice(connections)
        kind = rng.randrange(4)
        if kind == 0:
            victim.reset()
        elif kind == 1:
            victim.reset_after(sent_bytes=rng.randrange(1, 300))
        elif kind == 2:
            victim.reset_after(received_bytes=rng.randrange(1, 300))
        else:
            world.network.partition([victim.client], [broker], one_way=rng.random() < 0.5)
            await asyncio.sleep(rng.random() * 20)
            world.network.heal()


async def main(world: sim.Simulation) -> tuple[Seen, str, int]:
    """All of it; gives what was seen, and the digest and length of the trace."""
    seen = Seen()
    scope = TaskScope()
    service = await serve(world, scope)
    async with TaskScope() as clients:
        clients.spawn(break_things(world), name="faults")
        for number in range(PRODUCERS):
            clients.spawn(produce(world, number, seen), name=f"producer {number}")
        clients.spawn(consume(world, seen), name="consumer")
    await service.stop()
    await scope.close()
    return seen, world.trace.digest(), world.trace.events


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        found, digest, events = sim.run(main, seed=int(argument))
        print(argument, digest, events)
