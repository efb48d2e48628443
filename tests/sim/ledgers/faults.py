"""What breaks: processes, power, disks, links, and the way to the metadata store."""

import asyncio
import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from magnetar_runtime.sim import Fault, LinkShape, WorkerShape

from tests.sim.ledgers.bookies import BookieMachine
from tests.sim.ledgers.clients import ClientMachine
from tests.sim.ledgers.step_faults import StepFaults

if TYPE_CHECKING:
    from tests.sim.ledgers.world import World

FAULTS: Final = 22
CALM_MAX_S: Final = 1.0
"""Between two faults, which may overlap."""

DOWN_MAX_S: Final = (0.2, 3.0)
"""Started again at once, or when somebody saw it."""

PARTITION_MAX_S: Final = 4.0
SLOW: Final = WorkerShape(usual_max_us=30_000, slow_max_us=400_000, slow_chance=0.1)
FULL_FOR_MAX_S: Final = 3.0


class Chaos:
    """Faults by the weights of this run.

    Durable data is lost by bits that turn over in entry logs of one bookie only, the frail one:
    a majority of each write set stays whole.

    Attributes:
        on: False from `heal` on.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._rng = world.sim.rng("faults")
        self._loop = world.sim.loop
        self._frail = world.bookies[0]
        self.on = True
        kinds: list[tuple[Callable[[], object], int]] = [
            (self._kill_bookie, 5),
            (self._kill_client, 2),
            (self._kill_many, 1),
            (self._partition, 4),
            (self._cut_metadata, 2),
            (self._break_connection, 2),
            (self._expire, 1),
            (self._recover, 9),
            (self._disk_error, 1),
            (self._slow_disk, 1),
            (self._full_disk, 1),
            (self._flip, 1),
            (self._slow_link, 1),
        ]
        StepFaults(world, self)
        # Drawn for each seed: no one mixture finds everything.
        self._kinds = [kind for kind, _ in kinds]
        self._weights = [weight * self._rng.choice((0.3, 1, 1, 2)) for _, weight in kinds]

    async def run(self) -> None:
        """Break things for a while."""
        await asyncio.sleep(0.5)
        for _ in range(FAULTS):
            await asyncio.sleep(self._rng.random() * CALM_MAX_S)
            (kind,) = self._rng.choices(self._kinds, self._weights)
            kind()
        await asyncio.sleep(self._rng.random() * CALM_MAX_S)

    def heal(self) -> None:
        """From now on all works."""
        world = self._world
        self.on = False
        world.sim.network.heal()
        world.calm_metadata()
        for bookie in world.bookies:
            bookie.disk.faults.clear()
            bookie.disk.capacity_bytes = 1 << 50
            if bookie.process is not None:
                bookie.process.reshape(WorkerShape())
                for worker in bookie.process.workers:
                    worker.stuck = False
                if bookie.process.failed:
                    bookie.kill(silently=False)
        for machine in world.machines:
            machine.start()

    def later(self, most_s: float, action: Callable[[], object]) -> None:
        """Do this in a while, if things are not healed before."""
        self.after(self._rng.random() * most_s, action)

    def after(self, delay_s: float, action: Callable[[], object]) -> None:
        """Do this then, if things are not healed before."""
        self._loop.call_later(delay_s, lambda: self.on and action())

    def count(self, what: str) -> None:
        self._world.faults[what] += 1

    # Processes and power.

    def _kill_bookie(self) -> None:
        self.kill(self._rng.choice(self._world.bookies))

    def _kill_client(self) -> None:
        self.kill(self._rng.choice(self._world.clients))

    def _kill_many(self) -> None:
        """The power of several machines goes, or of all bookies."""
        silently = self._rng.random() < 0.7
        count = self._rng.randrange(2, len(self._world.bookies) + 1)
        for bookie in self._rng.sample(self._world.bookies, count):
            self.kill(bookie, silently=silently)

    def kill(self, machine: BookieMachine | ClientMachine, *, silently: bool | None = None) -> None:
        self.count("kill")
        machine.kill(silently=self._rng.random() < 0.5 if silently is None else silently)
        self.later(self._rng.choice(DOWN_MAX_S), machine.start)

    # The network.

    def _partition(self) -> None:
        """Some hosts do not reach some others, in one direction or both."""
        world = self._world
        hosts = [machine.node.network for machine in world.machines]
        some = self._rng.sample(hosts, self._rng.randrange(1, len(hosts) // 2 + 1))
        others = [host for host in hosts if host not in some]
        self.count("partition")
        world.sim.network.partition(some, others, one_way=self._rng.random() < 0.4)
        self.later(PARTITION_MAX_S, world.sim.network.heal)

    def _cut_metadata(self) -> None:
        """Some hosts do not reach the metadata store, or are not reached by it."""
        world = self._world
        metadata = [world.sim.network.host("metadata")]
        machines = self._rng.sample(world.machines, self._rng.randrange(1, 4))
        hosts = [machine.node.network for machine in machines]
        pair = (hosts, metadata) if self._rng.random() < 0.5 else (metadata, hosts)
        self.count("partition")
        world.sim.network.partition(*pair, one_way=self._rng.random() < 0.6)
        self.later(2 * PARTITION_MAX_S, world.sim.network.heal)

    def _break_connection(self) -> None:
        connections = self._world.sim.network.connections
        if not connections:
            return
        self.count("broken connection")
        victim, kind = self._rng.choice(connections), self._rng.randrange(4)
        if kind == 0:
            victim.reset()
        elif kind == 1:
            victim.reset_after(sent_bytes=self._rng.randrange(1, 2_000))
        elif kind == 2:
            victim.reset_after(received_bytes=self._rng.randrange(1, 300))
        else:
            victim.go_silent()

    def _slow_link(self) -> None:
        """A narrow line with long ways, for good."""
        world = self._world
        one, other = self._rng.sample(world.machines, 2)
        link = world.sim.network.link(one.node.network, other.node.network)
        self.count("slow link")
        before = link.shape
        link.shape = LinkShape(
            latency_min_us=20_000, latency_max_us=300_000, bytes_per_second=64 << 10
        )

        def again() -> None:
            link.shape = before

        self.later(PARTITION_MAX_S, again)

    # The metadata store.

    def _expire(self) -> None:
        """The store ends a session, or loses the answer of a process's next change."""
        machine = self._rng.choice(self._world.machines)
        session = machine.sessions[-1]
        self.count("session")
        if self._rng.random() < 0.5:
            session.replies_to_lose += 1
        elif not session.abandoned:
            session.expire()

    # Recoveries.

    def _recover(self) -> None:
        """One or both recoverers are to close a ledger, its writer alive or not."""
        open_ledgers = self._world.history.open_ledgers
        if not open_ledgers:
            return
        self.count("recovery")
        ledger_id = self._rng.choice(open_ledgers[-4:])
        both = self._rng.random() < 0.5
        recoverers = self._world.recoverers
        for machine in recoverers if both else [self._rng.choice(recoverers)]:
            machine.wishes.append(ledger_id)

    # Disks.

    def _disk_error(self) -> None:
        """A sync, a write or a commit fails; what the sync was to bring is lost."""
        step, path = self._rng.choice(
            (("sync", "journal"), ("sync", ".log"), ("write", ""), ("commit", ""), ("create", ""))
        )
        self.count("disk error")
        fault = Fault(step, path, errno.EIO, skip=self._rng.randrange(3))
        self._rng.choice(self._world.bookies).add_fault(fault)

    def _full_disk(self) -> None:
        """ENOSPC without warning, until there is room again."""
        bookie = self._rng.choice(self._world.bookies)
        self.count("full disk")
        disk = bookie.disk
        space = disk.space("")
        used = space.total_bytes - space.free_bytes
        disk.capacity_bytes = used + self._rng.randrange(0, 16 << 10)

        def room() -> None:
            bookie.disk.capacity_bytes = 1 << 50

        self.later(FULL_FOR_MAX_S, room)

    def _slow_disk(self) -> None:
        """A disk that is slow, or does not answer for a while."""
        process = self._rng.choice(self._world.bookies).process
        if process is None:
            return
        self.count("slow disk")
        if self._rng.random() < 0.5:
            process.reshape(SLOW)
            self.later(PARTITION_MAX_S, lambda: process.reshape(WorkerShape()))
            return
        for worker in process.workers:
            worker.stuck = True

        def answer() -> None:
            if not process.killed:
                for worker in process.workers:
                    worker.stuck = False

        self.later(PARTITION_MAX_S, answer)

    def _flip(self) -> None:
        """Bits of the frail bookie's entry logs turn over."""
        for _ in range(self._rng.randrange(1, 4)):
            if self._frail.flip_entry_log():
                self.count("flip")
