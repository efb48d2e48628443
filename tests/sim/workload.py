"""A broker and its clients in one simulation, with a network that fails.

Producers send numbered messages again until each has its receipt; a consumer reads until it has
seen all. What must hold: nothing that was acknowledged is missing, and what each producer sent
comes in its order (the first time that it comes).

    python -m tests.sim.workload 1 2 3      runs these seeds on each machine, prints the digests
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from magnetar_broker.config import BrokerConfig
from magnetar_broker.service import BrokerDeps, BrokerService
from magnetar_ledger.managed import EntryCacheManager, ManagedLedger
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.payloads import parse_metadata
from magnetar_runtime import sim
from magnetar_runtime.scope import TaskScope

from tests.broker.client import send_frame
from tests.ledger.fake_bookie import Call, FakeBookie
from tests.ledger.managed.harness import QUICK, World
from tests.sim.standalone import Standalone
from tests.sim.wire_client import RefusedError, WireClient

TOPIC = "persistent://public/default/orders"
PRODUCERS = 2
MESSAGES = 60
BATCH = 7
FAULTS = 6


class Machine(Protocol):
    """What serves, and can be killed.

    Attributes:
        brokers: How many there were, one after another.
    """

    brokers: int

    async def start(self) -> None: ...

    async def kill(self, *, silently: bool) -> None: ...

    async def restart(self) -> None: ...

    async def stop(self) -> None: ...


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
        brokers: How many there were, one after another.
    """

    acknowledged: set[str] = field(default_factory=set)
    delivered: list[str] = field(default_factory=list)
    connections: int = 0
    brokers: int = 0

    def check(self) -> None:
        """The promises."""
        first = list(dict.fromkeys(self.delivered))
        assert self.acknowledged <= set(first), self.acknowledged - set(first)
        for producer in range(PRODUCERS):
            numbers = [int(text.split("-")[1]) for text in first if text[0] == str(producer)]
            assert numbers == list(range(MESSAGES)), f"producer {producer}: {numbers}"


class Cluster:
    """Three bookies and a store without a network, and one broker at a time on the node `broker`.

    A broker that is killed loses its tasks and its network; what it had sent to bookies still
    happens, and what it believes it may still do: the next one must fence it.
    """

    def __init__(self, world: sim.Simulation) -> None:
        self._node = world.node("broker")
        self._stands_on = World()
        self._stands_on.bookies = [TardyBookie(f"b{n}", world.rng(f"bookie {n}")) for n in range(3)]
        self._scope = TaskScope()
        self.brokers = 0

    async def start(self) -> None:
        """Begin a broker, with caches and handles of its own."""
        self.brokers += 1
        self._scope = self._stands_on.scope = TaskScope()
        self._stands_on.cache = EntryCacheManager()
        deps = self._stands_on.deps(QUICK, ensemble_size=3, write_quorum=3, ack_quorum=2)

        async def open_ledger(name: str, *, create: bool) -> ManagedLedger:
            return await ManagedLedger.open(name, deps, create)

        broker_deps = BrokerDeps(self._stands_on.store, open_ledger, self._node.clock)
        self.service = BrokerService(BrokerConfig(), broker_deps, self._scope)
        await self.service.start()
        await self._node.network.listen(self.service.new_connection, "broker", 6650)

    async def kill(self, *, silently: bool) -> None:
        """End the broker as `kill -9` does, or as a power cut."""
        self._node.network.fail(silently=silently)
        await self._scope.close()

    async def restart(self) -> None:
        """Begin the next one."""
        self._node.network.restart()
        await self.start()

    async def stop(self) -> None:
        await self.service.stop()
        await self._scope.close()


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
            await _subscribe(client)
            client.send(api.CommandFlow(consumer_id=1, messagePermits=10))
            await everything.wait()
        except (OSError, RefusedError):
            await asyncio.sleep(0.1)


async def _subscribe(client: WireClient) -> None:
    await client.ask(
        api.CommandSubscribe,
        topic=TOPIC,
        subscription="s",
        subType=api.CommandSubscribe.Exclusive,
        consumer_id=1,
        initialPosition=api.CommandSubscribe.Earliest,
    )


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


async def break_things(world: sim.Simulation, machine: Machine) -> None:
    """Reset connections, some in mid-frame, part clients from the broker, and kill the broker."""
    rng = world.rng("faults")
    broker = world.network.host("broker")
    for _ in range(FAULTS):
        await asyncio.sleep(rng.random() * 0.3)
        connections = world.network.connections
        if not connections:
            continue
        victim = rng.choice(connections)
        kind = rng.randrange(5)
        if kind == 0:
            victim.reset()
        elif kind == 1:
            victim.reset_after(sent_bytes=rng.randrange(1, 300))
        elif kind == 2:
            victim.reset_after(received_bytes=rng.randrange(1, 300))
        elif kind == 3:
            world.network.partition([victim.client], [broker], one_way=rng.random() < 0.5)
            await asyncio.sleep(rng.random() * 20)
            world.network.heal()
        else:
            await machine.kill(silently=rng.random() < 0.5)
            await asyncio.sleep(rng.random() * 5)
            await machine.restart()


async def main(world: sim.Simulation, machine: Machine) -> Seen:
    """All of it, until every message has come."""
    seen = Seen()
    await machine.start()
    # Before anything is produced: what no subscription waits for, the broker may delete.
    client = await WireClient.open(world.node("consumer").network, "broker", 6650)
    await _subscribe(client)
    client.close()
    async with TaskScope() as clients:
        clients.spawn(break_things(world, machine), name="faults")
        for number in range(PRODUCERS):
            clients.spawn(produce(world, number, seen), name=f"producer {number}")
        clients.spawn(consume(world, seen), name="consumer")
    seen.brokers = machine.brokers
    await machine.stop()
    return seen


def run(seed: int, make_machine: Callable[[sim.Simulation], Machine]) -> tuple[Seen, str]:
    """Run it under a seed, an hour at most; gives what was seen, and the trace's digest."""

    async def begin(world: sim.Simulation) -> tuple[Seen, str]:
        seen = await main(world, make_machine(world))
        return seen, world.trace.digest()

    return sim.run(begin, seed=seed, max_time_s=3_600, max_turns=2_000_000)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        for make in (Cluster, Standalone):
            print(argument, make.__name__, run(int(argument), make)[1])
