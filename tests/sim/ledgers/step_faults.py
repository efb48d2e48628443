"""What breaks in the very step in which a protocol is weak: a recovery, a fence, a new segment."""

import asyncio
from typing import TYPE_CHECKING, Final

from magnetar_proto.bookie import FENCE, RECOVERY_ADD

from tests.sim.ledgers.bookies import BookieMachine
from tests.sim.ledgers.clients import ClientMachine

if TYPE_CHECKING:
    from tests.sim.ledgers.faults import Chaos
    from tests.sim.ledgers.world import World

LATE_MAX_S: Final = 1.2
BEFORE_MAX_S: Final = 0.25
DEATH_MAX_S: Final = 0.02
LAST_REQUESTS: Final = (0, 0, 1, 2)


class StepFaults:
    """Faults that wait for a step of the protocol; whether they come is drawn, like all others.

    When a recovery begins the writer reaches some bookies late; the first request that fences one
    of these may be lost with its connection; and one that all reach may die when it has told its
    fence, before it answers anything else. The one that recovers may die when it adds again.
    """

    def __init__(self, world: "World", chaos: "Chaos") -> None:
        self._world = world
        self._chaos = chaos
        self._rng = rng = world.sim.rng("step faults")
        self._at_recovery = rng.choice((0.0, 0.5, 1.0))
        self._at_change = rng.choice((0.0, 0.1, 0.4))
        self._deaf: dict[tuple[str, int], ClientMachine] = {}
        """Bookie and ledger: the first fence is lost, with this machine's connections."""
        self._doomed: dict[tuple[str, int], int] = {}
        """Bookie and ledger: so many requests it still takes when it has told the fence."""
        self._mortal: dict[int, ClientMachine] = {}
        """Ledger: this machine dies soon after its recovery adds the first entry again."""
        world.history.on_request = self._is_lost
        world.history.on_ensemble_change = self._ensemble_changed
        for machine in world.clients:
            machine.on_recovery = self._recovery_begins

    async def _recovery_begins(self, machine: ClientMachine, ledger_id: int) -> None:
        metadata = self._world.history.ledgers[ledger_id].metadata
        if metadata is None or not self._draw(self._at_recovery):
            return
        self._chaos.count("troubled recovery")
        rng, size = self._rng, metadata.ensemble_size
        bookies = rng.sample(metadata.segments[-1].bookies, size)
        self._delay_adds(machine, ledger_id, bookies[: rng.randrange(size)])
        await asyncio.sleep(rng.random() * BEFORE_MAX_S)
        if rng.random() < 0.6:
            self._deaf[bookies[0], ledger_id] = machine
        if rng.random() < 0.6:
            self._doomed[bookies[-1], ledger_id] = rng.choice(LAST_REQUESTS)
        if rng.random() < 0.2:
            self._mortal[ledger_id] = machine

    def _delay_adds(self, machine: ClientMachine, ledger_id: int, bookies: list[str]) -> None:
        """What its writer sends arrives in a while, at each bookie at another time."""
        network = self._world.sim.network
        for writer in self._world.writers:
            if writer is machine or not writer.owned or writer.owned[-1] != ledger_id:
                continue
            for name in bookies:
                link = network.link(writer.node.network, network.host(name))
                link.block()
                self._chaos.later(LATE_MAX_S, link.unblock)

    def _is_lost(self, bookie_id: str, ledger_id: int, flags: int) -> bool:
        """A bookie got a request; whether it never answers, as it dies or the connection breaks."""
        key = (bookie_id, ledger_id)
        if not self._chaos.on:
            return False
        if flags & RECOVERY_ADD and ledger_id in self._mortal:
            self._kill_soon(self._mortal.pop(ledger_id))
        if flags & FENCE and key in self._deaf:
            self._break(self._deaf.pop(key), bookie_id)
            return True
        if key in self._doomed and key in self._world.history.fenced:
            self._doomed[key] -= 1
            if self._doomed[key] < 0:
                del self._doomed[key]
                bookie = next(each for each in self._world.bookies if each.name == bookie_id)
                self._chaos.after(0.0, lambda: self._chaos.kill(bookie))
                return True
        return False

    def _break(self, machine: ClientMachine, bookie_id: str) -> None:
        self._chaos.count("broken connection")
        network = self._world.sim.network
        for connection in network.between(machine.node.network, network.host(bookie_id)):
            self._chaos.after(0.0, connection.reset)

    def _ensemble_changed(self, ledger_id: int) -> None:
        """The writer dies when its new segment is in metadata, knowing it or not."""
        if not self._draw(self._at_change):
            return
        for machine in self._world.writers:
            if machine.owned and machine.owned[-1] == ledger_id:
                self._kill_soon(machine)

    def _kill_soon(self, machine: BookieMachine | ClientMachine) -> None:
        delay_s = self._rng.random() * DEATH_MAX_S
        self._chaos.after(delay_s, lambda: self._chaos.kill(machine))

    def _draw(self, chance: float) -> bool:
        return self._chaos.on and self._rng.random() < chance
