"""A bookie and a metadata store on one simulated disk, and a client that remembers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from magnetar_metadata.sim_store import SimStore
from magnetar_metadata.store import MetadataStore
from magnetar_proto.bookie import DEFERRED_SYNC, FENCE, Status
from magnetar_runtime import sim
from magnetar_runtime.sim import SimDisk, SimWorker, WorkerShape
from magnetar_storage.config import BookieConfig
from magnetar_storage.engine import BookieEngine
from magnetar_storage.parts import BookieWorkers
from magnetar_storage.sim_index import SimIndex

from tests.proto.bookie_contract import KEY, OTHER_KEY, header_of, payload_of
from tests.sim.truth import Event

NEVER_MS = 3_600_000_000
LEDGERS = "/ledgers"


class NoLock:
    """One process has the simulated disk."""

    def release(self) -> None:
        """Nothing is held."""


SMALL = {
    "journal_file_bytes": 16 << 10,
    "journal_spare_files": 1,
    "write_cache_bytes": 32 << 10,
    "read_cache_bytes": 4 << 10,
    "entry_log_bytes": 16 << 10,
    "flush_interval_ms": NEVER_MS,
}
"""Files roll, halves flush and blocks leave the cache often."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How many directories of each kind."""

    ledger_directories: int = 1
    journals: int = 1

    def config(self, **settings: int) -> BookieConfig:
        return BookieConfig(
            ledger_directories=tuple(f"drive/ledgers{n}" for n in range(self.ledger_directories)),
            journal_directories=tuple(f"drive/journal{n}" for n in range(self.journals)),
            **{**SMALL, **settings},
        )


class Listing:
    """`LedgerListing` on the metadata store."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    async def sync(self) -> None:
        await self._store.sync(LEDGERS)

    async def list_ids(self) -> list[int]:
        return [int(name) for name in await self._store.children(LEDGERS)]

    async def read(self, ledger_id: int) -> object | None:
        return await self._store.get(f"{LEDGERS}/{ledger_id}")


class Machine:
    """The services, started on a disk. `log` grows with what is asked and told."""

    def __init__(
        self, world: sim.Simulation, disk: SimDisk, log: list[Event], layout: Layout
    ) -> None:
        self.disk = disk
        self.log = log
        self.layout = layout
        self.waiting = 0
        self.bookie: BookieEngine
        self._world = world
        self._clock = world.node("bookie").clock
        disk.make_directories("drive")
        self.store = SimStore.on(
            disk, "drive/metadata.sqlite", self._clock, self._worker("metadata")
        )

    async def start(self, **settings: int) -> None:
        """Start the bookie; `settings` of its configuration take the place of small ones."""
        journals, storages, readers = (
            [self._worker(f"{kind} {n}") for n in range(2)]
            for kind in ("journal", "storage", "reader")
        )
        self.bookie = await BookieEngine.open(
            self.layout.config(**settings),
            self.disk,
            BookieWorkers(journals[0], storages[0], readers, journals[1:], storages[1:]),
            self._clock,
            self._world.rng("bookie"),
            self._world.loop,
            open_index=lambda directory, _map_bytes: SimIndex(self.disk, directory),
            lock=lambda _directory: NoLock(),
        )

    async def stop(self) -> None:
        await self.bookie.close()
        await self.store.close()

    def _worker(self, name: str) -> SimWorker:
        shape = WorkerShape(usual_max_us=400, slow_max_us=8_000, slow_chance=0.05)
        return SimWorker(self._world.loop, self._world.rng(f"worker {name}"), shape)

    def add(
        self, ledger_id: int, ids: Sequence[int], size: int, version: int, flags: int = 0
    ) -> None:
        """Add entries of a version; what is told of them goes into the log."""
        headers = [header_of(ledger_id, entry_id) for entry_id in ids]
        payloads = [b"%d " % version + payload_of(entry_id, size) for entry_id in ids]
        entries = {i: h + p for i, h, p in zip(ids, headers, payloads, strict=True)}
        self.log += [Event("try", ledger_id, i, entry) for i, entry in entries.items()]
        self.waiting += len(ids)
        told = "answered" if flags & DEFERRED_SYNC else "acked"
        sink = _Sink(self, ledger_id, entries, told)
        self.bookie.add(ledger_id, ids, KEY, headers, payloads, flags, sink)

    async def fence(self, ledger_id: int) -> Status:
        status, _ = await self._read(ledger_id, -1, FENCE)
        if status in (Status.OK, Status.NO_ENTRY, Status.NO_LEDGER):
            self.log.append(Event("fence_acked", ledger_id))
        return status

    async def force(self, ledger_id: int) -> Status:
        """Make durable what was answered so far."""
        answered = [e for e in self.log if e.what == "answered" and e.ledger_id == ledger_id]
        ended: asyncio.Future[Status] = self._world.loop.create_future()
        self.bookie.force(ledger_id, ended.set_result)
        status = await ended
        if status is Status.OK:
            self.log += [event._replace(what="acked") for event in answered]
        return status

    async def read(self, ledger_id: int, first: int) -> tuple[Status, list[bytes]]:
        return await self._read(ledger_id, first, 0)

    async def served(self, ledger_id: int, ids: Sequence[int]) -> dict[int, bytes]:
        """All entries that are found among these ids."""
        found: dict[int, bytes] = {}
        for entry_id in sorted(ids):
            if entry_id in found:
                continue
            status, entries = await self.read(ledger_id, entry_id)
            assert (status is Status.OK) == bool(entries), status
            assert status in (Status.OK, Status.NO_ENTRY, Status.NO_LEDGER), status
            found.update(enumerate(entries, entry_id))
        return found

    async def status_of_add(self, ledger_id: int, entry_id: int, key: bytes = KEY) -> Status:
        """What is told to who adds an entry that must be refused."""
        ended: asyncio.Future[Status] = self._world.loop.create_future()

        class Sink:
            def adds_completed(self, _entry_ids: Sequence[int], status: Status) -> None:
                ended.set_result(status)

        header = header_of(ledger_id, entry_id)
        self.bookie.add(ledger_id, [entry_id], key, [header], [b"refused"], 0, Sink())
        return await ended

    async def wrong_key_is_refused(self, ledger_id: int) -> bool:
        return await self.status_of_add(ledger_id, 0, OTHER_KEY) is Status.UNAUTHORIZED

    async def put_metadata(self, ledger_id: int, value: bytes) -> None:
        self.log.append(Event("meta_try", ledger_id, 0, value))
        path = f"{LEDGERS}/{ledger_id}"
        if await self.store.get(path) is None:
            await self.store.create(path, value)
        else:
            await self.store.set(path, value)
        self.log.append(Event("meta", ledger_id, 0, value))

    async def delete(self, ledger_id: int) -> None:
        """Delete a ledger as its owner does: from the metadata; the bookie finds that out."""
        self.log.append(Event("meta_try", ledger_id, 0, None))
        self.log.append(Event("delete", ledger_id))
        await self.store.delete(f"{LEDGERS}/{ledger_id}")
        self.log.append(Event("meta", ledger_id, 0, None))
        await self.bookie.collect_garbage(Listing(self.store))

    async def metadata(self) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for name in await self.store.children(LEDGERS):
            node = await self.store.get(f"{LEDGERS}/{name}")
            assert node is not None
            found[int(name)] = node.value
        return found

    async def room(self) -> None:
        """Wait until the bookie takes more."""
        if not self.bookie.writable:
            future = self._world.loop.create_future()
            self.bookie.when_writable(lambda: future.set_result(None))
            await future

    async def settled(self) -> None:
        while self.waiting:
            await asyncio.sleep(0.001)

    async def _read(self, ledger_id: int, first: int, flags: int) -> tuple[Status, list[bytes]]:
        sink = _ReadEnd(self._world.loop.create_future())
        self.bookie.read(ledger_id, first, 1000, 1 << 20, flags, KEY, sink, 1)
        return await sink.ended


class _ReadEnd:
    def __init__(self, ended: "asyncio.Future[tuple[Status, list[bytes]]]") -> None:
        self.ended = ended

    def read_completed(
        self, _context: int, status: Status, _first: int, entries: Sequence[bytes]
    ) -> None:
        self.ended.set_result((status, list(entries)))


class _Sink:
    def __init__(
        self, machine: Machine, ledger_id: int, entries: dict[int, bytes], told: str
    ) -> None:
        self._told = told
        self._machine = machine
        self._ledger_id = ledger_id
        self._entries = entries

    def adds_completed(self, entry_ids: Sequence[int], status: Status) -> None:
        self._machine.waiting -= len(entry_ids)
        if status is Status.OK:
            self._machine.log += [
                Event(self._told, self._ledger_id, i, self._entries[i]) for i in entry_ids
            ]
