"""Bookies, writers, recoverers and a metadata store on a network, under faults that a seed draws.

First everything may break while clients work. Then nothing breaks any more: within two minutes
every ledger must be closed and every entry read. In the end the bookies' copies are compared.

    python -m tests.sim.ledgers.world 1 2 10-20     runs these seeds, prints digests and counts
"""

import sys
import time
from collections import Counter
from dataclasses import dataclass, fields
from random import Random
from typing import Any, Final
from unittest import mock

from magnetar_ledger import recovery
from magnetar_ledger.recovery import RecoveryWriter
from magnetar_ledger.recovery_core import Finish
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.sim_session import SessionShape, SimMetadata, SimSession
from magnetar_runtime import sim
from magnetar_runtime.sim import LinkShape

from tests.sim.bookie_world import Layout
from tests.sim.ledgers.audit import Auditor
from tests.sim.ledgers.bookies import SESSION_TIMEOUT_S, BookieMachine
from tests.sim.ledgers.clients import ClientMachine, Meters, recoverer, writer
from tests.sim.ledgers.faults import Chaos
from tests.sim.ledgers.history import History

WRITERS: Final = 2
RECOVERERS: Final = 2
QUORUMS: Final = ((3, 3, 2), (3, 3, 2), (3, 2, 2), (3, 3, 3), (4, 3, 2), (2, 2, 2), (5, 3, 2))


@dataclass(slots=True)
class Coverage:
    """What a run came to; runs add up."""

    seeds: int = 1
    virtual_s: float = 0.0
    events: int = 0
    crashes: int = 0
    partitions: int = 0
    ensemble_changes: int = 0
    recoveries: int = 0
    re_adding_recoveries: int = 0
    competing_recoveries: int = 0
    unknown_outcomes: int = 0
    sessions_lost: int = 0
    guessed_lengths: int = 0
    ledgers: int = 0
    confirmed: int = 0
    slowest_heal_s: float = 0.0

    def add(self, other: "Coverage") -> None:
        """Count another run."""
        for field in fields(self):
            mine, its = getattr(self, field.name), getattr(other, field.name)
            total = max(mine, its) if field.name.startswith("slowest") else mine + its
            setattr(self, field.name, total)


class World:
    """All machines of a run."""

    def __init__(self, world: sim.Simulation) -> None:
        self.sim = world
        self.rng = world.rng("world")
        self.history = History(world.loop.fail)
        self.meters = Meters()
        self.faults: Counter[str] = Counter()
        store = MemoryStore(world.node("metadata").clock)
        self.history.watch(store)
        self._metadata = SimMetadata(world.network, world.network.host("metadata"), store)
        self._shape = SessionShape(
            timeout_s=SESSION_TIMEOUT_S,
            reply_lost_chance=self.rng.choice((0.0, 0.01, 0.05)),
            hint_late_max_s=self.rng.choice((0.0, 0.5, 3.0)),
        )
        count = self.rng.choice((3, 4, 4, 5))
        layout = Layout(*self.rng.choice(((1, 1), (1, 1), (2, 1), (2, 2))))
        self.bookies = [
            BookieMachine(world, f"bookie{n}", self.session, self.history, layout)
            for n in range(count)
        ]
        quorums = [each for each in QUORUMS if each[0] <= count]
        self.writers = [self._client(f"writer{n}", writer(quorums)) for n in range(WRITERS)]
        self.recoverers = [self._client(f"recoverer{n}", recoverer) for n in range(RECOVERERS)]

    @property
    def clients(self) -> list[ClientMachine]:
        return [*self.writers, *self.recoverers]

    @property
    def machines(self) -> list[BookieMachine | ClientMachine]:
        return [*self.bookies, *self.clients]

    def session(self, node: sim.Node) -> SimSession:
        """Begin a session of a process on this node."""
        rng = Random(self.rng.random())
        return self._metadata.session(node.network, rng, self._shape)

    def calm_metadata(self) -> None:
        """From now on no reply is lost and no hint is late."""
        self._shape = SessionShape(timeout_s=SESSION_TIMEOUT_S)
        for machine in self.machines:
            for session in machine.sessions:
                session.shape = self._shape
                session.replies_to_lose = 0

    def coverage(self) -> Coverage:
        sessions = [session for machine in self.machines for session in machine.sessions]
        ledgers = self.history.ledgers
        return Coverage(
            virtual_s=self.sim.loop.time(),
            events=self.sim.trace.events,
            crashes=sum(machine.crashes for machine in self.machines),
            partitions=self.faults["partition"],
            ensemble_changes=self.history.ensemble_changes,
            recoveries=self.meters.recoveries,
            re_adding_recoveries=len(self.meters.re_adding),
            competing_recoveries=self.meters.competing,
            unknown_outcomes=sum(session.unknown_outcomes for session in sessions),
            sessions_lost=sum(session.sessions_lost for session in sessions),
            guessed_lengths=len(self.history.guessed_lengths),
            ledgers=len(ledgers),
            confirmed=sum(ledger.confirmed for ledger in ledgers.values()),
        )

    def _client(self, name: str, program: Any) -> ClientMachine:
        return ClientMachine(self.sim, name, self.session, self.history, self.meters, program)


async def main(simulation: sim.Simulation) -> tuple[Coverage, str]:
    """All of it."""
    world = World(simulation)
    with _re_adds_noted(world.meters), _guesses_noted(world.history):
        for machine in world.machines:
            machine.start()
        chaos = Chaos(world)
        await chaos.run()
        chaos.heal()
        healed_s = simulation.loop.time()
        try:
            await Auditor(world).run()
        finally:
            for bookie in world.bookies:
                bookie.lay_ghosts()
    coverage = world.coverage()
    coverage.slowest_heal_s = simulation.loop.time() - healed_s
    return coverage, simulation.trace.digest()


def _re_adds_noted(meters: Meters) -> Any:
    add_again = RecoveryWriter.add_again

    def noted(self: RecoveryWriter, *args: Any) -> None:
        meters.re_adding.add(self)
        add_again(self, *args)

    return mock.patch.object(RecoveryWriter, "add_again", noted)


def _guesses_noted(history: History) -> Any:
    guessed_length = recovery._guessed_length

    def noted(ledger_id: int, finish: Finish) -> int:
        length = guessed_length(ledger_id, finish)
        history.guessed_lengths.add((ledger_id, length))
        return length

    return mock.patch.object(recovery, "_guessed_length", noted)


def link_shape(rng: Random) -> LinkShape:
    """Within a region, as bookies are placed; quick enough for seeds to be many."""
    latency_us = rng.choice((50, 300, 2_000))
    return LinkShape(
        latency_min_us=latency_us,
        latency_max_us=latency_us * rng.choice((1, 3, 10)),
        bytes_per_second=rng.choice((1, 16, 125)) << 20,
        window_bytes=rng.choice((16, 64, 256)) << 10,
        segment_max_bytes=rng.choice((1_448, 16 << 10, 64 << 10)),
        cut_chance=rng.choice((0.0, 0.1, 0.5)),
    )


def run(seed: int) -> tuple[Coverage, str]:
    """Run it under a seed; gives what it came to, and the trace's digest."""
    shape = link_shape(sim.stream(seed, "link shape of ledgers"))
    return sim.run(main, seed=seed, link_shape=shape, max_time_s=900, max_turns=2_000_000)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        first, _, last = argument.partition("-")
        for each in range(int(first), int(last or first) + 1):
            began = time.process_time()
            done, digest = run(each)
            print(each, digest, f"{time.process_time() - began:.2f}s", done)
