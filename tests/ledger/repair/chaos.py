"""Auto-recovery on a simulated cluster to which everything happens, decided by a seed.

Bookies die and come back, sessions end, replies of the store are lost, nodes are cut off from it,
auto-recovery processes die at any moment, entries rot. A dead bookie that no ledger needs any more
is wiped: what metadata has promised must then be true.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random

from magnetar_ledger.errors import LedgerFencedError
from magnetar_ledger.repair.auto_recovery import AutoRecovery
from magnetar_ledger.repair.fragments import bookies_needed, known_fragments
from magnetar_ledger.striping import Quorum, segment_index
from magnetar_ledger.writer import LedgerWriter
from magnetar_metadata.bookie_registration import BookieRegistration
from magnetar_metadata.bookie_registry import BookieServiceInfo
from magnetar_metadata.sim_session import SessionShape, SimMetadata, SimSession
from magnetar_proto.bookie import Status
from magnetar_runtime import sim
from magnetar_runtime.sim.links import LinkShape

from tests.ledger.cluster import Confirmed, payload
from tests.ledger.repair.world import CONFIG, RepairWorld

CHAOS_S = 150.0
HEAL_S = 600.0
TIMEOUT_S = 6.0
SIZES = [(3, 3, 2), (3, 2, 2), (4, 2, 1), (4, 3, 2)]
HASTY = replace(
    CONFIG,
    ledger_check_interval_s=60,
    bookie_check_interval_s=120,
    verification_percent=100,
    open_ledger_grace_ms=8_000,
    mass_loss_delay_ms=30_000,
    max_retry_pause_ms=20_000,
    copy_batch_entries=5,
    copy_rate_bytes_per_s=2_000,
    check_rate_entries_per_s=0,
)


@dataclass(slots=True)
class Tally:
    """What has happened."""

    kills: int = 0
    wipes: int = 0
    crashes: int = 0
    sessions_ended: int = 0
    cut_offs: int = 0
    rotten: int = 0
    unknown_outcomes: int = 0
    repaired: int = 0
    fenced: int = 0

    def add(self, other: "Tally") -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Bookie:
    """The registration of a bookie, over a link of its own."""

    def __init__(self, session: SimSession, name: str) -> None:
        self.session = session
        self.registration = BookieRegistration(
            session, name, BookieServiceInfo(), session_timeout_ms=int(TIMEOUT_S * 1000)
        )


class Chaos:
    """One seed's cluster."""

    def __init__(self, simulation: sim.Simulation) -> None:
        self.sim = simulation
        self.rng: Random = simulation.rng("chaos")
        self.world = RepairWorld(6)
        self.host = simulation.network.host("metadata")
        self.metadata = SimMetadata(simulation.network, self.host, self.world.store)
        self.tally = Tally()
        self.bookies: dict[str, Bookie] = {}
        self.nodes: dict[str, tuple[SimSession, AutoRecovery, asyncio.Task[None]]] = {}
        self.writers: list[tuple[LedgerWriter, Confirmed]] = []
        self.counts: dict[int, int] = {}  # of closed ledgers
        self.rotten: dict[tuple[int, str], set[int]] = {}
        self._lives = 0

    async def run(self) -> Tally:
        await self.world.marked.prepare()
        for name in self.world.bookies:
            await self._start_bookie(name)
        for _ in range(8):
            sizes = self.rng.choice(SIZES)
            count = self.rng.randrange(1, 40)
            self.counts[await self.world.written(count, sizes)] = count
        for _ in range(4):
            self.writers.append(await self.world.writer(*self.rng.choice(SIZES)))
        for number in range(3):
            self._start_node(f"node-{number}")
        loop = asyncio.get_running_loop()
        end_s = loop.time() + CHAOS_S
        while loop.time() < end_s:
            await asyncio.sleep(self.rng.random() * 8)
            await self.rng.choice(self._events())()
            await self.check(done=False)
        await self._heal()
        await self.check(done=True)
        for _, node, task in self.nodes.values():
            self.tally.repaired += node.worker.counters.repaired
            task.cancel()
        return self.tally

    # What happens.

    def _events(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            self._kill_or_revive,
            self._kill_or_revive,
            self._wipe,
            self._wipe,
            self._crash_node,
            self._end_session,
            self._cut_off,
            self._rot,
            self._write,
            self._write,
        ]

    async def _kill_or_revive(self) -> None:
        dead = [name for name in self.world.bookies if name not in self.bookies]
        if len(dead) >= 2 or (dead and self.rng.random() < 0.4):
            await self._start_bookie(self.rng.choice(dead))
        else:
            await self._kill(self.rng.choice(sorted(self.bookies)))

    async def _kill(self, name: str) -> None:
        self.tally.kills += 1
        self.world.bookies[name].answer = Status.UNAVAILABLE
        bookie = self.bookies.pop(name)
        await bookie.registration._scope.close()  # as a process that dies: it says nothing
        bookie.session._store.expire()
        bookie.session._closed = True
        bookie.session._ticker.cancel()
        bookie.session._expiry.cancel()

    async def _start_bookie(self, name: str) -> None:
        self._lives += 1
        host = self.sim.network.host(f"bookie {name}")
        bookie = Bookie(self._session(host, 0.0), name)
        self.world.bookies[name].answer = None
        self.bookies[name] = bookie
        await bookie.registration.start()

    async def _wipe(self) -> None:
        needed: set[str] = set()
        for ledger_id in await self.world.registry.list_ids():
            needed |= bookies_needed(await self.world.metadata(ledger_id))
        for name in self.world.bookies:
            if name not in needed and name not in self.bookies:
                self.tally.wipes += 1
                bookie = self.world.bookies[name]
                bookie.entries.clear()
                bookie.fenced.clear()
                bookie.keys.clear()

    def _start_node(self, name: str) -> None:
        session = self._session(self.sim.network.host(name), self.rng.choice((0.0, 0.05, 0.2)))
        node = AutoRecovery(session, self.world.tools(self._lives, session), name, HASTY)
        task = self.sim.loop.create_task(node.run())
        self.nodes[name] = (session, node, task)

    async def _crash_node(self) -> None:
        name = self.rng.choice(sorted(self.nodes))
        session, node, task = self.nodes[name]
        self.tally.crashes += 1
        self.tally.repaired += node.worker.counters.repaired
        self.tally.unknown_outcomes += session.unknown_outcomes
        session._store.expire()  # first of all, so that nothing it still says is heard
        session._closed = True
        session._ticker.cancel()
        session._expiry.cancel()
        task.cancel()
        await asyncio.wait([task])
        self._start_node(name)

    async def _end_session(self) -> None:
        self.tally.sessions_ended += 1
        sessions = [s for s, _, _ in self.nodes.values()]
        sessions += [self.bookies[name].session for name in sorted(self.bookies)]
        self.rng.choice(sessions).expire()

    async def _cut_off(self) -> None:
        """One or more hosts from the store, for a while; sessions may end by it."""
        self.tally.cut_offs += 1
        names = [*self.nodes, *(f"bookie {name}" for name in self.bookies)]
        hosts = [self.sim.network.host(n) for n in self.rng.sample(names, self.rng.randint(1, 4))]
        self.sim.network.partition(hosts, [self.host], one_way=self.rng.random() < 0.3)
        await asyncio.sleep(self.rng.random() * 20)
        self.sim.network.heal()

    async def _rot(self) -> None:
        """One replica of a closed ledger loses entries, if all others are whole."""
        ledger_id = self.rng.choice(sorted(self.counts))
        metadata = await self.world.metadata(ledger_id)
        if metadata.write_quorum == 1 or any(r for (e, _), r in self._rotten() if e == ledger_id):
            return
        name = self.rng.choice(sorted(bookies_needed(metadata)))
        stored = self.world.bookies[name].entries.get(ledger_id, {})
        if not stored or name not in self.bookies:
            return
        lost = self.rng.sample(sorted(stored), self.rng.randint(1, len(stored)))
        for entry_id in lost:
            del stored[entry_id]
        self.tally.rotten += 1
        self.rotten[ledger_id, name] = set(lost)

    async def _write(self) -> None:
        writer, sink = self.rng.choice(self.writers)
        if sink.error is not None:
            self.tally.fenced += 1
            self.writers.remove((writer, sink))
            writer, sink = await self.world.writer(*self.rng.choice(SIZES))
            self.writers.append((writer, sink))
        first = writer.entries_pushed
        writer.add_all([payload(n) for n in range(first, first + self.rng.randint(1, 5))])

    # What must hold.

    async def check(self, *, done: bool) -> None:
        """Entries stand on an ack quorum of the bookies that metadata names; at the end on all."""
        for ledger_id in await self.world.registry.list_ids():
            metadata = await self.world.metadata(ledger_id)
            quorum, segments = Quorum.of(metadata), metadata.segments
            last = max((f.last_entry_id for f in known_fragments(metadata)), default=-1)
            for entry_id in range(last + 1):
                bookies = segments[segment_index(segments, entry_id)].bookies
                named = [bookies[place] for place in quorum.write_set(entry_id)]
                have = [n for n in named if self._has(n, ledger_id, entry_id)]
                rotten = [n for n in named if entry_id in self.rotten.get((ledger_id, n), ())]
                least = quorum.write_quorum if done else quorum.ack_quorum - len(rotten)
                assert len(have) >= least, (ledger_id, entry_id, named, have, metadata)

    async def _heal(self) -> None:
        """All is well from now on: everything must come to rest."""
        self.sim.network.heal()
        for session, _, _ in self.nodes.values():
            self.tally.unknown_outcomes += session.unknown_outcomes
            session.shape = SessionShape(timeout_s=TIMEOUT_S)
        for name in self.world.bookies:
            if name not in self.bookies:
                await self._start_bookie(name)
        for writer, sink in self.writers:
            if sink.error is None:
                await self._settle(writer, sink)
        await self._rest()
        for ledger_id, count in self.counts.items():
            assert (await self.world.metadata(ledger_id)).last_entry_id == count - 1
        for writer, sink in self.writers:
            if (found := await self.world.metadata(writer.ledger_id)).closed:
                assert found.last_entry_id >= sink.count - 1

    async def _settle(self, writer: LedgerWriter, sink: Confirmed) -> None:
        for _ in range(600):
            if sink.count == writer.entries_pushed or sink.error is not None:
                break
            await asyncio.sleep(1)
        with suppress(LedgerFencedError):  # a repair was quicker
            if sink.error is None:
                await writer.close()
                self.counts[writer.ledger_id] = sink.count

    async def _rest(self) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + HEAL_S
        while loop.time() < end_s:
            await asyncio.sleep(5)
            try:
                await self.check(done=True)
            except AssertionError:
                continue
            if not await self.world.marked.list_ids():
                return
        raise AssertionError(f"no rest: marked {await self.world.marked.list_ids()}")

    def _has(self, name: str, ledger_id: int, entry_id: int) -> bool:
        return entry_id in self.world.bookies[name].entries.get(ledger_id, {})

    def _rotten(self) -> list[tuple[tuple[int, str], set[int]]]:
        """What has rotted and is not repaired yet."""
        for (ledger_id, name), lost in self.rotten.items():
            lost -= {e for e in lost if self._has(name, ledger_id, e)}
        return list(self.rotten.items())

    def _session(self, host: sim.SimHost, reply_lost_chance: float) -> SimSession:
        self._lives += 1
        shape = SessionShape(
            timeout_s=TIMEOUT_S, reply_lost_chance=reply_lost_chance, hint_late_max_s=2.0
        )
        return self.metadata.session(host, self.sim.rng(f"session {self._lives}"), shape)


def run_seed(seed: int) -> Tally:
    """All that happens with this seed; raises what does not hold."""

    async def main(simulation: sim.Simulation) -> Tally:
        return await Chaos(simulation).run()

    shape = LinkShape(latency_min_us=100, latency_max_us=1_000)
    return sim.run(main, seed=seed, link_shape=shape)
