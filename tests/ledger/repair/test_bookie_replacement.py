"""A new bookie stands in metadata only with the lock held and after a look at every conflict."""

from collections.abc import Sequence
from typing import Any

import pytest
from magnetar_ledger.errors import LedgerMetadataError, NoSuchLedgerError, RepairLockLostError
from magnetar_ledger.metadata_update import VersionedMetadata, read_metadata
from magnetar_ledger.repair.bookie_replacement import BookieReplacement
from magnetar_ledger.repair.fragments import Fragment, known_fragments
from magnetar_metadata.errors import MetadataError, UnknownOutcomeError
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.repair_locks import RepairLock, RepairLocks
from magnetar_metadata.store import Operation

from tests.ledger.repair.world import RepairWorld
from tests.ledger.virtual_time import run


class Told:
    """A store whose next `multi` ends as told."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.endings: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def multi(self, operations: Sequence[Operation]) -> None:
        ending = self.endings.pop(0) if self.endings else ""
        if ending == "refused":
            raise MetadataError("/", "refused")
        if ending != "not done":
            await self._store.multi(operations)
        if ending:
            raise UnknownOutcomeError("/")


class Case:
    def __init__(self, world: RepairWorld) -> None:
        self.world = world
        self.session = world.store.new_session()
        self.store: Any = Told(self.session)
        self.locks = RepairLocks(self.store, "me")
        self.replacement = BookieReplacement(self.store, self.locks, world.tools())

    async def begin(self) -> tuple[RepairLock, VersionedMetadata, Fragment]:
        ledger_id = await self.world.written(5)
        await self.world.marked.mark(ledger_id, ["x"])
        lock = await self.locks.take(ledger_id)
        assert lock is not None
        known = await read_metadata(self.world.registry, ledger_id)
        return lock, known, known_fragments(known.metadata)[1]

    async def bookies(self, lock: RepairLock) -> list[str]:
        return list(await self.world.ensemble_of(lock.ledger_id))


def test_it_writes_the_one_place() -> None:
    async def main() -> None:
        case = Case(await RepairWorld().begin())
        lock, known, fragment = await case.begin()
        before = await case.bookies(lock)
        written = await case.replacement.write(lock, known, fragment, "new")
        assert await case.bookies(lock) == [before[0], "new", before[2]]
        assert written == await read_metadata(case.world.registry, lock.ledger_id)

    run(main())


@pytest.mark.parametrize("ending", ["done", "not done"])
def test_an_unknown_outcome_is_found_out(ending: str) -> None:
    async def main() -> None:
        case = Case(await RepairWorld().begin())
        lock, known, fragment = await case.begin()
        case.store.endings = [ending]
        written = await case.replacement.write(lock, known, fragment, "new")
        assert (await case.bookies(lock))[1] == "new"
        assert written == await read_metadata(case.world.registry, lock.ledger_id)

    run(main())


def test_a_conflict_is_looked_at() -> None:
    async def main() -> None:
        case = Case(await RepairWorld().begin())
        lock, known, fragment = await case.begin()
        await case.world.meddle(lock.ledger_id, created_ms=5)
        await case.replacement.write(lock, known, fragment, "new")
        metadata = await case.world.metadata(lock.ledger_id)
        assert metadata.created_ms == 5
        assert metadata.segments[0].bookies[1] == "new"

    run(main())


def test_anothers_change_of_the_place_stays() -> None:
    async def main() -> None:
        case = Case(await RepairWorld().begin())
        lock, known, fragment = await case.begin()
        await case.replacement.write(lock, known, fragment, "quicker")
        await case.replacement.write(lock, known, fragment, "new")
        assert (await case.bookies(lock))[1] == "quicker"

    run(main())


def test_nothing_is_written_after_the_session() -> None:
    async def main() -> None:
        case = Case(await RepairWorld().begin())
        lock, known, fragment = await case.begin()
        case.session.expire(renew=True)
        with pytest.raises(RepairLockLostError):
            await case.replacement.write(lock, known, fragment, "new")
        assert await case.bookies(lock) == list(known.metadata.segments[0].bookies)

    run(main())


def test_nothing_is_written_without_the_lock() -> None:
    async def main() -> None:
        case = Case(await RepairWorld().begin())
        lock, known, fragment = await case.begin()
        await case.session.delete(lock.path)  # by an operator
        with pytest.raises(RepairLockLostError):
            await case.replacement.write(lock, known, fragment, "new")
        assert await case.bookies(lock) == list(known.metadata.segments[0].bookies)

    run(main())


def test_a_deleted_ledger_stays_deleted() -> None:
    async def main() -> None:
        case = Case(await RepairWorld().begin())
        lock, known, fragment = await case.begin()
        await case.world.registry.delete(lock.ledger_id)
        with pytest.raises(NoSuchLedgerError):
            await case.replacement.write(lock, known, fragment, "new")

    run(main())


@pytest.mark.parametrize("endings", [["refused"], ["not done"] * 5])
def test_what_does_not_get_through_is_told(endings: list[str]) -> None:
    async def main() -> None:
        case = Case(await RepairWorld().begin())
        lock, known, fragment = await case.begin()
        case.store.endings = endings
        with pytest.raises(LedgerMetadataError):
            await case.replacement.write(lock, known, fragment, "new")

    run(main())
