"""What the SDK's calls leave over when they are cancelled, at each step of each of their tasks.

A call is first run to its end, and the events of the loop are noted in which a task of the SDK
takes a step. Then it is run again for each of them, in a new simulation, and cancelled right
before the step (what it waits for may just have happened) and right after it (it just began to
wait).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from magnetar import Client, Consumer, InitialPosition, Producer
from magnetar.connection import Connection
from magnetar_runtime import sim

from tests.sim.cluster import Cluster

TOPIC = "persistent://public/default/cut"
NEVER = 1 << 60


class Cut:
    """Cancels a task before an event of the loop; notes the events that are steps of the SDK."""

    def __init__(self, loop: sim.SimLoop, task: asyncio.Task[Any], at: int) -> None:
        self.steps: list[int] = []
        self.asked = False
        self._loop = loop
        self._task = task
        self._at = at
        self._events = 0
        self._add = loop.trace.add

    def begin(self) -> None:
        """Look at each event from now on."""
        self._loop.trace.add = self._event  # type: ignore[method-assign]

    def end(self) -> None:
        """Look no more."""
        self._loop.trace.add = self._add  # type: ignore[method-assign]

    def _event(self, now_ns: int, text: str, data: Any = b"") -> None:
        self._add(now_ns, text, data)
        if self._task.done():
            return
        if text.startswith("task ") and self._is_ours(int(text.split()[1])):
            self.steps.append(self._events)
        if self._events == self._at:
            self.asked = self._task.cancel()
        self._events += 1

    def _is_ours(self, number: int) -> bool:
        task = next(task for task, each in self._loop._tasks.items() if each == number)
        code = getattr(task.get_coro(), "cr_code", None)
        return task is self._task or (code is not None and "/magnetar/" in code.co_filename)


@dataclass
class Stage:
    """A broker, and a client that is connected to it.

    Attributes:
        sent: texts that are stored.
        got: texts that were given to the caller.
    """

    world: sim.Simulation
    machine: Cluster
    client: Client
    producer: Producer
    sent: list[str] = field(default_factory=list)
    got: list[str] = field(default_factory=list)
    consumer: Consumer | None = None
    beside: asyncio.Task[None] | None = None

    async def publish(self, count: int) -> None:
        """Store some messages."""
        for _ in range(count):
            self.sent.append(str(len(self.sent)))
            await self.producer.send(self.sent[-1].encode())

    async def subscribe(self, **options: Any) -> Consumer:
        """A consumer of all messages, the only one of its subscription."""
        return await self.client.subscribe(
            TOPIC, "s", initial_position=InitialPosition.Earliest, **options
        )

    async def rest(self, consumer: Consumer) -> None:
        """Receive until all that was stored has come, in order."""
        while len(dict.fromkeys(self.got)) < len(self.sent):
            self.got.append((await consumer.receive(timeout=20)).data().decode())
        assert list(dict.fromkeys(self.got)) == self.sent


Prepare = Callable[[Stage], Awaitable[Any]]
Act = Callable[[Stage, Any], Coroutine[Any, Any, Any]]
After = Callable[[Stage, Any, bool], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Call:
    """A call to cancel.

    Attributes:
        prepare: what comes before; what it gives the others get.
        act: the call.
        after: what must still work; told whether the call was cancelled.
    """

    prepare: Prepare
    act: Act
    after: After


def make_client(world: sim.Simulation) -> Client:
    """A client on a node of its own."""
    node = world.node("client")
    return Client(
        "pulsar://broker:6650",
        operation_timeout_seconds=10,
        network=node.network,
        clock=node.clock,
        rng=node.rng,
    )


async def play(world: sim.Simulation, call: Call, at: int) -> tuple[list[int], bool]:
    """Do the call, cancel it before the event `at`, and look at what is left over."""
    machine = Cluster(world)
    await machine.start()
    before = asyncio.all_tasks()
    client = make_client(world)
    producer = await client.create_producer(TOPIC, "steady", batching_enabled=False)
    stage = Stage(world, machine, client, producer)
    given = await call.prepare(stage)
    task = asyncio.create_task(call.act(stage, given))
    cut = Cut(world.loop, task, at)
    cut.begin()
    await asyncio.wait([task])
    cut.end()
    assert task.cancelled() == cut.asked, "a CancelledError was swallowed"
    if not task.cancelled():
        await task
    await call.after(stage, given, task.cancelled())
    if client._error is None:
        await asyncio.sleep(1)
        check_attached(stage)
        assert len(asyncio.all_tasks() - before) <= 2, asyncio.all_tasks() - before
        await client.close()
    await asyncio.sleep(1)
    assert not asyncio.all_tasks() - before, asyncio.all_tasks() - before
    assert not machine.service.connections
    await machine.stop()
    return cut.steps, task.cancelled()


def check_attached(stage: Stage) -> None:
    """Client and broker have the same producers and consumers, and those alone that are open."""
    client = stage.client
    links: list[Connection] = list(client._pool._connections.values())
    producers = [p for each in client._setups.producers._open for p in each.partitions]
    consumers = [c for each in client._setups.consumers._open for c in each.sources.values()]
    assert _count(links) == (len(producers), len(consumers))
    assert not any(link._requests for link in links)
    assert not any(each._room or each.core.waiting_messages for each in producers)
    assert not any(each._seeking for each in consumers)
    served: list[Any] = list(stage.machine.service.connections)
    assert _count(served) == (len(producers), len(consumers)), "the broker holds another"


def _count(links: list[Any]) -> tuple[int, int]:
    return sum(len(each.producers) for each in links), sum(len(each.consumers) for each in links)


def run(call: Call, at: int = NEVER) -> tuple[list[int], bool]:
    """One simulation; gives the events with steps of the SDK, and whether it was cancelled."""
    return sim.run(lambda world: play(world, call, at), seed=1, loop_shape=sim.CALM, max_time_s=600)


def every_cut(call: Call) -> tuple[int, int]:
    """Cancel a call at each of its steps; gives how many cuts there were, and how many hit."""
    steps, _ = run(call)
    places = sorted({place for step in steps for place in (step, step + 1)})
    hit = 0
    for place in places:
        try:
            hit += run(call, place)[1]
        except BaseException as error:
            error.add_note(f"cancelled before event {place}")
            raise
    return len(places), hit
