"""A workload with a cut at every step of its disk, and what each cut may not lose.

The workload runs once. At each write, sync, create, rename, unlink, index commit and metadata
commit the disk is kept as it is, with what was unsynced. Each of these disks then loses its power,
a new bookie starts on what is left, is checked and goes on; and at a drawn step of that, recovery
included, the power goes again.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from magnetar_proto.bookie import RECOVERY_ADD, Status
from magnetar_runtime import sim
from magnetar_runtime.sim import LossPolicy, SimDisk

from tests.sim.bookie_world import Layout, Machine
from tests.sim.truth import Event, Owed

PROBE_LEDGER = 1_000
COMPACTION_RATE = 1 << 40
POLICIES = list(LossPolicy)
LAYOUTS = (Layout(1, 1), Layout(2, 1), Layout(2, 2))


@dataclass(frozen=True, slots=True)
class Cut:
    """A moment at which the power may go."""

    step: str
    path: str
    disk: SimDisk
    events: int
    """How long the log was."""


@dataclass(slots=True)
class Recorder:
    """Keeps the cuts of one run."""

    disk: SimDisk
    layout: Layout
    log: list[Event] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    compacted: int = 0
    """Entry logs that compaction freed."""

    def __post_init__(self) -> None:
        self.disk.on_step = self._step

    def owed(self) -> Owed:
        return Owed()

    def _step(self, step: str, path: str) -> None:
        self.cuts.append(Cut(step, path, self.disk.fork(), len(self.log)))


@dataclass(slots=True)
class Counts:
    """What was done: `steps` counts the cuts by kind of step."""

    steps: Counter[str] = field(default_factory=Counter)
    recoveries: int = 0
    wrongs: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {step}" for step, count in sorted(self.steps.items()))
        return f"{self.recoveries} recoveries; cuts at {kinds}"


def record(seed: int, operations: int) -> Recorder:
    """Run the workload on a new disk, to a clean end."""
    recorder = Recorder(SimDisk(), LAYOUTS[seed % len(LAYOUTS)])

    async def main(world: sim.Simulation) -> None:
        machine = Machine(world, recorder.disk, recorder.log, recorder.layout)
        await machine.start(flush_interval_ms=40)
        workload = Workload(machine, world.rng("workload"))
        await workload.run(operations)
        recorder.compacted = workload.compacted
        await machine.settled()
        await machine.stop()
        # One more moment: after the clean end.
        recorder._step("end", "")

    sim.run(main, seed=seed, loop_shape=sim.CALM)
    return recorder


class Workload:
    """Operations drawn by lot, many at a time."""

    def __init__(self, machine: Machine, rng: Random) -> None:
        self._machine = machine
        self._rng = rng
        self._next_entry: dict[int, int] = {}
        self._next_ledger = 1
        self._fenced: set[int] = set()
        self._version = 0
        self.compacted = 0

    async def run(self, operations: int) -> None:
        for _ in range(4):
            await self._open_ledger()
        for _ in range(operations):
            await self._step()
            if self._rng.random() < 0.4:
                await asyncio.sleep(self._rng.uniform(0, 0.002))

    async def _step(self) -> None:
        draw = self._rng.random()
        ledger_id = self._rng.choice(list(self._next_entry))
        if draw < 0.80:
            await self._add(ledger_id)
        elif draw < 0.86:
            await self._machine.read(ledger_id, self._rng.randrange(self._next_entry[ledger_id]))
        elif draw < 0.91:
            self._add_again(ledger_id)
        elif draw < 0.94:
            await self._machine.bookie.flush()
        elif draw < 0.95:
            self.compacted += await self._machine.bookie.compact(0.9, COMPACTION_RATE)
        elif draw < 0.97:
            await self._fence(ledger_id)
        elif draw < 0.98:
            await self._machine.put_metadata(ledger_id, b"%d" % self._rng.randrange(1000))
        else:
            await self._delete(ledger_id)

    async def _open_ledger(self) -> None:
        ledger_id = self._next_ledger
        self._next_ledger += 1
        await self._machine.put_metadata(ledger_id, b"open")
        self._next_entry[ledger_id] = 0
        await self._add(ledger_id)

    async def _add(self, ledger_id: int) -> None:
        await self._machine.room()
        first = self._next_entry[ledger_id]
        ids = range(first, first + self._rng.choice((1, 1, 2, 5)))
        self._next_entry[ledger_id] = ids.stop
        size = self._rng.choice((20, 200, 700))
        # A fenced ledger takes only what recovery adds.
        flags = RECOVERY_ADD if ledger_id in self._fenced else 0
        self._machine.add(ledger_id, ids, size, self._new_version(), flags)

    def _add_again(self, ledger_id: int) -> None:
        entry_id = self._rng.randrange(self._next_entry[ledger_id])
        self._machine.add(ledger_id, [entry_id], 100, self._new_version(), RECOVERY_ADD)

    async def _fence(self, ledger_id: int) -> None:
        self._fenced.add(ledger_id)
        await self._machine.fence(ledger_id)

    async def _delete(self, ledger_id: int) -> None:
        await self._machine.settled()
        del self._next_entry[ledger_id]
        await self._machine.delete(ledger_id)
        await self._open_ledger()

    def _new_version(self) -> int:
        self._version += 1
        return self._version


def check_cut(
    recorder: Recorder, cut: Cut, owed: Owed, policy: LossPolicy, rng: Random, counts: Counts
) -> None:
    """Two power cuts, one at this moment and one after the start that follows it."""
    where = f"cut at {cut.step} {cut.path}, {policy.value}"
    counts.steps[cut.step] += 1
    layout = recorder.layout
    first = Recorder(cut.disk.crashed(policy, rng), layout, recorder.log[: cut.events])
    counts.wrongs += [f"{where}: {wrong}" for wrong in _recovered(first, owed, rng, counts)]
    if counts.wrongs or not first.cuts:
        return
    again = rng.choice(first.cuts)
    after = recorder.owed()
    after.take(first.log[: again.events])
    other = rng.choice(POLICIES)
    second = Recorder(again.disk.crashed(other, rng), layout, first.log[: again.events])
    second.disk.on_step = None
    where += f", again at {again.step} {again.path}, {other.value}"
    counts.wrongs += [f"{where}: {wrong}" for wrong in _recovered(second, after, rng, counts)]


def _recovered(recorder: Recorder, owed: Owed, rng: Random, counts: Counts) -> list[str]:
    """Start on what a cut left; what is wrong there."""
    counts.recoveries += 1

    async def main(world: sim.Simulation) -> list[str]:
        machine = Machine(world, recorder.disk, recorder.log, recorder.layout)
        await machine.start()
        wrongs = await _wrongs(machine, owed)
        machine.add(PROBE_LEDGER, [rng.getrandbits(40)], 60, 0)
        await machine.settled()
        await machine.bookie.flush()
        await machine.bookie.compact(0.9, COMPACTION_RATE)
        await machine.stop()
        return wrongs

    try:
        return sim.run(main, seed=rng.getrandbits(30), loop_shape=sim.CALM)
    except Exception as error:  # noqa: BLE001 - whatever it is, recovery must not raise it
        return [f"recovery raised {error!r}"]


async def _wrongs(machine: Machine, owed: Owed) -> list[str]:
    wrongs = owed.wrongs_of_metadata(await machine.metadata())
    if machine.bookie.uncertain or machine.bookie.uncertain_ledgers():
        wrongs.append("the bookie takes a power cut for damage")
    for ledger_id, entries in list(owed.versions.items()):
        served = await machine.served(ledger_id, list(entries))
        wrongs += owed.wrongs_of_entries(ledger_id, served)
    for ledger_id in owed.fenced - owed.deleted:
        if await machine.status_of_add(ledger_id, 1 << 30) is not Status.FENCED:
            wrongs.append(f"ledger {ledger_id} is not fenced")
    for ledger_id in owed.keyed - owed.deleted:
        if not await machine.wrong_key_is_refused(ledger_id):
            wrongs.append(f"ledger {ledger_id} takes another master key")
    return wrongs


def check(recorder: Recorder, seed: int, stride: int, policies: int) -> Counts:
    """Check every `stride`-th cut with so many loss policies, until something is wrong."""
    counts, owed, taken = Counts(), recorder.owed(), 0
    rng = Random(seed)
    for number, cut in enumerate(recorder.cuts):
        if number % stride != seed % stride:
            continue
        owed.take(recorder.log[taken : cut.events])
        taken = cut.events
        for turn in range(policies):
            policy = POLICIES[(number // stride + turn) % len(POLICIES)]
            check_cut(recorder, cut, owed, policy, rng, counts)
            if counts.wrongs:
                return counts
    return counts
