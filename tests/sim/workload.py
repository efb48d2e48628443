"""A broker and its clients in one simulation, with a network that fails and processes that end.

First everything may break while clients work; then nothing breaks any more and they must get done;
in the end the power goes once more, and what is stored is read.

    python -m tests.sim.workload 1 2 3      runs these seeds on each machine, prints the digests
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Protocol

from magnetar_runtime import sim
from magnetar_runtime.scope import TaskScope

from tests.sim.clients import PRODUCERS, Seen, consume, produce, read_all, subscribe
from tests.sim.cluster import Cluster
from tests.sim.standalone import Standalone

FAULTS = 6
CALM_MAX_S = 0.3
"""Between two faults."""

PARTITION_MAX_S = 20.0
DOWN_MAX_S = 5.0
SETTLE_S = 300.0
"""So long after the last fault all clients must be done: one may just have begun to connect to a
host without power (127 s), another waits for the answer of a peer that is gone (90 s)."""


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


async def break_things(world: sim.Simulation, machine: Machine) -> None:
    """Reset connections, some in mid-frame, part clients from the broker, and kill the broker."""
    rng = world.rng("faults")
    broker = world.network.host("broker")
    for _ in range(FAULTS):
        await asyncio.sleep(rng.random() * CALM_MAX_S)
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
            await asyncio.sleep(rng.random() * PARTITION_MAX_S)
            world.network.heal()
        else:
            await machine.kill(silently=rng.random() < 0.5)
            await asyncio.sleep(rng.random() * DOWN_MAX_S)
            await machine.restart()


async def main(world: sim.Simulation, machine: Machine) -> Seen:
    """All of it. With a subscription that acknowledges nothing, everything stays stored; without
    one ledgers are trimmed and deleted. Half of the seeds have it."""
    seen = Seen()
    network = world.node("consumer").network
    audited = world.rng("audit").random() < 0.5
    await machine.start()
    # Before anything is produced: what no subscription waits for, the broker may delete.
    await subscribe(network, "s", *["audit"] * audited)
    await work(world, machine, seen)
    await machine.kill(silently=True)
    await machine.restart()
    if audited:
        seen.stored = await read_all(network, "audit")
    seen.brokers = machine.brokers
    await machine.stop()
    return seen


async def work(world: sim.Simulation, machine: Machine, seen: Seen) -> None:
    """Produce and consume, first under faults, then until all is done."""
    async with TaskScope() as scope:
        clients = [scope.spawn(consume(world.node("consumer").network, seen), name="consumer")]
        for number in range(PRODUCERS):
            name = f"producer {number}"
            network, rng = world.node(f"producer{number}").network, world.rng(name)
            clients.append(scope.spawn(produce(network, number, rng, seen), name=name))
        await break_things(world, machine)
        await asyncio.wait(clients, timeout=SETTLE_S)
        seen.stuck = [client.get_name() for client in clients if not client.done()]
        for client in clients:
            client.cancel()


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
