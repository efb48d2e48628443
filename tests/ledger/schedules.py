"""Random schedules of a whole ledger: a writer, recoverers, failing bookies, lost answers.

The real client runs over bookies whose calls wait until the schedule picks one. What a schedule
draws: which call comes next, whether it is done, whether its answer is lost, who crashes and when,
which bookies go down and come back, when metadata calls go on or lose their answers, and how time
passes: writers give up waiting for the store, whose writes may still happen later. Bookies lose
nothing.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.errors import (
    LedgerClosedError,
    LedgerError,
    LedgerMetadataError,
    NotEnoughBookiesError,
)
from magnetar_ledger.reader import LedgerReader
from magnetar_ledger.striping import Quorum, segment_index
from magnetar_ledger.writer import LedgerWriter
from magnetar_metadata.errors import UnknownOutcomeError
from magnetar_metadata.ledger_metadata import LedgerMetadata
from magnetar_metadata.store import Stat
from magnetar_proto.bookie import Status
from magnetar_runtime.sim import SimClock

from tests.ledger.cluster import PASSWORD, Cluster, Confirmed, LossyStore, payload
from tests.ledger.fake_bookie import AddCall, FakeBookie
from tests.ledger.virtual_time import until

SIZES = [(1, 1, 1), (2, 2, 1), (2, 2, 2), (3, 3, 2), (3, 3, 3), (3, 2, 2), (3, 2, 1), (4, 3, 2)]
CONFIG = LedgerClientConfig(
    add_timeout_ms=10_000, read_timeout_ms=10_000, recovery_batch_entries=2, metadata_attempts=50
)


class GatedStore(LossyStore):
    """Each set waits for the schedule, before and after it happens."""

    def __init__(self, clock: SimClock) -> None:
        super().__init__(clock)
        self.gates: list[asyncio.Future[bool]] = []
        self.open = False

    async def set(self, path: str, value: bytes, version: int = -1) -> Stat:
        # Whoever is cancelled has not stopped what is on its way.
        writing = asyncio.ensure_future(self._set(path, value, version))
        writing.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(writing)

    async def _set(self, path: str, value: bytes, version: int) -> Stat:
        await self._gate(path)
        stat = await super().set(path, value, version)
        await self._gate(path)
        return stat

    async def _gate(self, path: str) -> None:
        if self.open:
            return
        gate: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        if not await gate:
            raise UnknownOutcomeError(path)


@dataclass(frozen=True)
class Chances:
    """How often a schedule draws what. Drawn itself: no mixture finds everything."""

    lost_answer: float
    lost_call: float
    crash: float
    down: float  # a bookie goes down, or comes back
    time: float  # some time passes
    add: float
    batch: float  # a bookie does all that waits, in order
    slow: float  # the first bookie's turn goes to another one

    @staticmethod
    def draw(rng: random.Random) -> "Chances":
        return Chances(
            lost_answer=rng.choice([0.0, 0.02, 0.1]),
            lost_call=rng.choice([0.0, 0.02, 0.1]),
            crash=rng.choice([0.0, 0.01, 0.05]),
            down=rng.choice([0.0, 0.02, 0.05]),
            time=rng.choice([0.0, 0.03, 0.1]),
            add=rng.choice([0.05, 0.2, 0.5]),
            batch=rng.choice([0.0, 0.2, 0.6]),
            slow=rng.choice([0.0, 0.8]),
        )


class Schedule:
    """One run, decided by its seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.sizes = self.rng.choice(SIZES)
        self.chances = Chances.draw(self.rng)
        self.cluster = Cluster(self.sizes[0] + self.rng.randint(0, 2), CONFIG)
        self.store = GatedStore(self.cluster.clock)
        self.cluster.store = self.store
        self.cluster.registry._store = self.store
        self.writer: LedgerWriter
        self.sink: Confirmed
        self.recoveries: list[asyncio.Future[LedgerReader]] = []
        self.closing: asyncio.Future[LedgerMetadata] | None = None
        self.crashed = False

    @property
    def bookies(self) -> list[FakeBookie]:
        return list(self.cluster.bookies.values())

    async def run(self) -> None:
        self.writer, self.sink = await self.cluster.writer(*self.sizes)
        self.cluster.hold()
        for _ in range(self.rng.randint(20, 120)):
            if self.rng.random() < self.chances.time:
                await asyncio.sleep(self.rng.choice([0.1, 1.0, 5.0]))
            self._step()
            for _ in range(self.rng.randint(0, 3)):
                await asyncio.sleep(0)
        await self._heal()
        await self._check_writer()
        await self._check()

    def _step(self) -> None:
        draw = self.rng.random()
        if self.rng.random() < self.chances.down:
            self._go_down_or_up(self.rng.choice(self.bookies))
        if draw < self.chances.add:
            self._add()
        elif draw < self.chances.add + self.chances.crash:
            self._crash()
        elif draw < self.chances.add + self.chances.crash + 0.02:
            self._begin_recovery()
        elif draw < self.chances.add + self.chances.crash + 0.03 and self.closing is None:
            self.closing = asyncio.ensure_future(self.writer.close())
        else:
            self._go_on()

    def _add(self) -> None:
        try:
            self.writer.add(payload(self.writer.entries_pushed))
        except LedgerError:
            assert self.writer._ended is not None

    def _crash(self) -> None:
        """Somebody stops for ever. What he has sent goes on its way."""
        running = [task for task in self.recoveries if not task.done()]
        if running and self.rng.random() < 0.5:
            self.rng.choice(running).cancel()
        elif self.writer._ended is None:
            self.crashed = True
            self.writer._stop(LedgerClosedError("crashed"))

    def _go_down_or_up(self, bookie: FakeBookie) -> None:
        if bookie.answer is not None:
            bookie.answer = None
            return
        bookie.answer = Status.UNAVAILABLE
        for call in list(bookie.pending):
            bookie.lose(call, done=False, status=Status.UNAVAILABLE)

    def _begin_recovery(self) -> None:
        if len(self.recoveries) < 3:
            client = self.cluster.client(seed=self.rng.randrange(1000))
            opening = client.open(self.writer.ledger_id, password=PASSWORD, recover=True)
            self.recoveries.append(asyncio.ensure_future(opening))

    def _go_on(self) -> None:
        """One bookie call or one metadata call goes on, or its answer is lost."""
        actions: list[Callable[[], None]] = []
        bookies = [bookie for bookie in self.bookies if bookie.pending]
        if bookies:
            actions.append(lambda: self._go_on_bookie(self._pick(bookies)))
        if self.store.gates:
            actions.append(self._go_on_store)
        if actions:
            self.rng.choice(actions)()

    def _pick(self, bookies: list[FakeBookie]) -> FakeBookie:
        if self.rng.random() < self.chances.slow:
            bookies = [b for b in bookies if b is not self.bookies[0]] or bookies
        return self.rng.choice(bookies)

    def _go_on_bookie(self, bookie: FakeBookie) -> None:
        call = self.rng.choice(bookie.pending)
        draw = self.rng.random()
        if draw < self.chances.lost_answer:
            bookie.lose(call, done=True)
        elif draw < self.chances.lost_answer + self.chances.lost_call:
            # The caller takes it for failed, but it may be on its way.
            bookie.lose(call, done=False)
            if isinstance(call, AddCall) and self.rng.random() < 0.5:
                bookie.pending.append(call)
                call.sink = _NoSink()
        elif self.rng.random() < self.chances.batch:
            bookie.run_all()
        else:
            bookie.run(call)

    def _go_on_store(self) -> None:
        gate = self.store.gates.pop(self.rng.randrange(len(self.store.gates)))
        if not gate.done():
            gate.set_result(self.rng.random() >= self.chances.lost_answer)

    async def _heal(self) -> None:
        """From now on all goes well; who has begun something ends it."""
        self.store.open = True
        for gate in self.store.gates:
            if not gate.done():
                gate.set_result(True)
        self.cluster.hold(False)
        for bookie in self.bookies:
            bookie.answer = None
            bookie.run_all()
        waiting: list[asyncio.Future[Any]] = [*self.recoveries]
        if self.closing is not None:
            waiting.append(self.closing)
        if waiting:
            await asyncio.wait(waiting)
        for task in waiting:
            if not task.cancelled() and (error := task.exception()):
                assert isinstance(error, LedgerError), repr(error)

    async def _check_writer(self) -> None:
        """With all bookies up, a writer that nobody disturbed goes on or has ended for a reason."""
        if self.writer._ended is not None or self.recoveries or self.closing is not None:
            return
        self._add()
        count = self.writer.entries_pushed
        await until(lambda: self.sink.count == count or self.sink.error is not None, 120)
        ended = (NotEnoughBookiesError, LedgerMetadataError)  # too many had failed before
        assert self.sink.error is None or isinstance(self.sink.error, ended), self.sink.error

    async def _check(self) -> None:
        client = self.cluster.client(seed=self.rng.randrange(1000))
        ledger_id = self.writer.ledger_id
        reader = await client.open(ledger_id, password=PASSWORD, recover=True)
        last = reader.last_add_confirmed
        assert self.sink.count - 1 <= last, "a confirmed entry is beyond the end"
        assert last < self.writer.entries_pushed, "an entry that nobody wrote"
        await self._check_entries(reader)
        self._check_copies(reader.metadata)
        for task in self.recoveries:
            if not task.cancelled() and task.exception() is None:
                assert task.result().metadata == reader.metadata, "two views of one ledger"
        if self.closing is not None and self.closing.exception() is None:
            assert self.closing.result() == reader.metadata, "two views of one ledger"
        confirmed = self.sink.count
        if self.writer._ended is None:
            self.writer.add(b"too late")
            for _ in range(10):
                await asyncio.sleep(0)
        assert self.sink.count == confirmed, "confirmed after the ledger was closed"
        self.writer._timer.cancel()
        await self.cluster.scope.close()

    async def _check_entries(self, reader: LedgerReader) -> None:
        found: list[bytes] = []
        while len(found) <= reader.last_add_confirmed:
            found += await reader.read(len(found), 100, 100_000)
        assert found == [payload(number) for number in range(len(found))]
        chances = self.chances
        if chances.lost_answer == chances.lost_call == chances.down == chances.time == 0:
            assert reader.length == sum(map(len, found))  # else perhaps nobody could read it

    def _check_copies(self, metadata: LedgerMetadata) -> None:
        """Each entry has its ack quorum on the bookies that metadata names."""
        quorum = Quorum.of(metadata)
        for entry_id in range(metadata.last_entry_id + 1):
            segment = metadata.segments[segment_index(metadata.segments, entry_id)]
            holders = [segment.bookies[i] for i in quorum.write_set(entry_id)]
            copies = sum(
                entry_id in self.cluster.bookies[b].entries.get(self.writer.ledger_id, ())
                for b in holders
            )
            assert copies >= quorum.ack_quorum, f"entry {entry_id} has {copies} copies"


class _NoSink:
    """Of a call that its caller has given up."""

    def adds_completed(self, *_: object) -> None:
        pass
