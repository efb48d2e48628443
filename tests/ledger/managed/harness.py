"""A managed ledger over the real client, a memory store and fake bookies, in virtual time."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from magnetar_ledger.bookie_pool import LocalBookies
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.managed import (
    EntryCacheManager,
    ManagedLedger,
    ManagedLedgerConfig,
    ManagedLedgerDeps,
)
from magnetar_ledger.placement import RandomPlacement
from magnetar_ledger.position import Position
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.managed_ledger_info import ManagedLedgerRegistry
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.store import Stat
from magnetar_runtime.scope import TaskScope
from magnetar_runtime.sim import WALL_START_MS as WALL_START_MS
from magnetar_runtime.sim import SimClock

from tests.ledger.fake_bookie import FakeBookie
from tests.ledger.virtual_time import run as run
from tests.ledger.virtual_time import until as until
from tests.ledger.virtual_time import virtual_clock

TOPIC = "public/default/persistent/events"


class RecordingStore(MemoryStore):
    """Counts writes per path, and refuses some, or loses their answers."""

    def __init__(self, clock: SimClock) -> None:
        super().__init__(clock)
        self.writes: list[str] = []
        self.before_write: Callable[[str], None] = lambda path: None
        self.after_write: Callable[[str], None] = lambda path: None

    async def set(self, path: str, value: bytes, version: int = -1) -> Stat:
        self.before_write(path)
        self.writes.append(path)
        stat = await super().set(path, value, version)
        self.after_write(path)
        return stat


class Appended:
    """An AppendSink that remembers."""

    def __init__(self) -> None:
        self.positions: list[Position] = []
        self.failures: list[tuple[int, LedgerError]] = []

    @property
    def settled(self) -> int:
        return len(self.positions) + sum(count for count, _ in self.failures)

    def entries_appended(self, ledger_id: int, first_entry_id: int, count: int) -> None:
        self.positions += [Position(ledger_id, first_entry_id + i) for i in range(count)]

    def append_failed(self, count: int, error: LedgerError) -> None:
        self.failures.append((count, error))


QUICK = ManagedLedgerConfig(min_ledger_age_ms=0)


class World:
    """A cluster of one store and some bookies, and brokers on it."""

    def __init__(self, bookies: int = 1) -> None:
        self.clock = virtual_clock()
        self.store = RecordingStore(self.clock)
        self.bookies = [FakeBookie(f"bookie-{i}") for i in range(bookies)]
        self._by_name = {bookie.name: bookie for bookie in self.bookies}
        self.registry = ManagedLedgerRegistry(self.store)
        self.ledger_registry = LedgerRegistry(self.store)
        self.cache = EntryCacheManager()
        self.scope = TaskScope()

    def deps(self, config: ManagedLedgerConfig = QUICK, **changes: Any) -> ManagedLedgerDeps:
        async def writable() -> list[str]:
            return [bookie.name for bookie in self.bookies]

        client = LedgerClient(
            self.ledger_registry,
            LocalBookies(self._by_name),
            RandomPlacement(writable),
            random.Random(1),
            self.clock,
            self.scope,
        )
        config = replace(config, **changes)
        return ManagedLedgerDeps(client, self.registry, self.clock, config, self.cache)

    async def open(
        self, config: ManagedLedgerConfig = QUICK, **changes: Any
    ) -> tuple[ManagedLedger, Appended]:
        managed = await ManagedLedger.open(TOPIC, self.deps(config, **changes))
        managed.sink = appended = Appended()
        return managed, appended

    def add_bookies(self, bookies: Sequence[FakeBookie]) -> None:
        """More of them, for clients that are there already too."""
        self.bookies += bookies
        self._by_name |= {bookie.name: bookie for bookie in bookies}

    async def info(self) -> Any:
        found = await self.registry.read(TOPIC)
        assert found is not None
        return found[0]

    async def listed(self) -> list[int]:
        return [ledger.ledger_id for ledger in (await self.info()).ledgers]


def payload(number: int) -> bytes:
    return b"entry %d" % number


def add(managed: ManagedLedger, first: int, count: int) -> None:
    for number in range(first, first + count):
        managed.add(payload(number))


async def append(managed: ManagedLedger, appended: Appended, first: int, count: int) -> None:
    before = appended.settled
    add(managed, first, count)
    await until(lambda: appended.settled >= before + count)


async def read_all(managed: ManagedLedger) -> list[bytes]:
    position, found = managed.first_position, []
    while True:
        position, payloads = await managed.read(position, 7, 10_000)
        if not payloads:
            return found
        found += payloads
        position = Position(position.ledger_id, position.entry_id + len(payloads))
