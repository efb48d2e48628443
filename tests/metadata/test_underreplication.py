"""Marks outlive races and lost replies; delays and switches are the cluster's."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from magnetar_metadata.errors import MalformedRecordError, UnknownOutcomeError
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.sqlite import SqliteStore
from magnetar_metadata.store import ANY_VERSION, MetadataStore, Stat
from magnetar_metadata.underreplication import Underreplication
from magnetar_metadata.underreplication_records import LAYOUT, UnderreplicatedLedger

from tests.metadata.clocks import ManualClock

MARKERS = "/ledgers/underreplication/ledgers"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> AsyncIterator[MetadataStore]:
    if request.param == "memory":
        yield MemoryStore(clock)
        return
    sqlite = await SqliteStore.open(str(tmp_path / "metadata.sqlite"), clock)
    yield sqlite
    await sqlite.close()


@pytest.fixture
def marked(store: MetadataStore, clock: ManualClock) -> Underreplication:
    return Underreplication(store, clock)


async def test_it_prepares_what_apaches_tools_expect(
    marked: Underreplication, store: MetadataStore
) -> None:
    await marked.prepare()
    await marked.prepare()
    node = await store.get("/ledgers/underreplication/LAYOUT")
    assert node is not None
    assert node.value == LAYOUT
    assert await store.children("/ledgers/underreplication") == ["LAYOUT", "ledgers", "locks"]
    await store.set("/ledgers/underreplication/LAYOUT", b'type: "NEW"\nversion: 9\n')
    with pytest.raises(MalformedRecordError):
        await marked.prepare()


async def test_ledgers_are_marked_listed_and_removed(
    marked: Underreplication, store: MetadataStore, clock: ManualClock
) -> None:
    began_ms = clock.now_ms
    await marked.mark(7, ["a"])
    clock.now_ms += 1000
    await marked.mark(7, ["b"])
    await marked.mark(2**40, ["a"])
    assert await marked.list_ids() == [7, 2**40]
    found = await marked.read(7)
    assert found == (UnderreplicatedLedger(("a", "b"), began_ms), 1)
    assert await marked.read(8) is None
    assert await marked.remove(7, 1)
    assert await marked.remove(7, 1)  # gone already
    assert await marked.list_ids() == [2**40]
    assert await marked.remove(2**40)
    assert await store.children(MARKERS) == []  # and the groups with it


async def test_a_marker_that_was_renewed_is_not_removed(marked: Underreplication) -> None:
    await marked.mark(7, ["a"])
    await marked.mark(7, ["a"])  # lost again: who looked before must look again
    assert not await marked.remove(7, 0)
    assert await marked.list_ids() == [7]


async def test_a_neighbour_keeps_its_group(marked: Underreplication) -> None:
    await marked.mark(7, ["a"])
    await marked.mark(7 + 2**16, ["a"])
    await marked.remove(7)
    assert await marked.list_ids() == [7 + 2**16]


class RacingStore(MemoryStore):
    """Does something else first, or loses the reply, at the next changes."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.before: list[str] = []

    async def create(self, path: str, value: bytes, **options: bool) -> str:
        what = self.before.pop(0) if self.before else ""
        if what == "created by another":
            await super().create(path, b'replica: "other"\n')
        created = await super().create(path, value, **options)
        if what == "lost":
            raise UnknownOutcomeError(path)
        return created

    async def set(self, path: str, value: bytes, version: int = ANY_VERSION) -> Stat:
        what = self.before.pop(0) if self.before else ""
        if what == "changed by another":
            await super().set(path, b'replica: "other"\n')
        elif what == "removed by another":
            await super().delete(path)
        stat = await super().set(path, value, version)
        if what == "lost":
            raise UnknownOutcomeError(path)
        return stat


@pytest.mark.parametrize("what", ["created by another", "lost"])
async def test_a_first_mark_is_there_whatever_happens_meanwhile(what: str) -> None:
    store = RacingStore()
    store.before = [what]
    marked = Underreplication(store, ManualClock())
    await marked.mark(7, ["a"])
    found = await marked.read(7)
    assert found is not None
    assert "a" in found[0].replicas
    assert ("other" in found[0].replicas) == (what == "created by another")


@pytest.mark.parametrize("what", ["changed by another", "removed by another", "lost"])
async def test_a_second_mark_is_there_whatever_happens_meanwhile(what: str) -> None:
    store = RacingStore()
    marked = Underreplication(store, ManualClock())
    await marked.mark(7, ["first"])
    store.before = [what]
    await marked.mark(7, ["a"])
    found = await marked.read(7)
    assert found is not None
    assert "a" in found[0].replicas
    assert ("other" in found[0].replicas) == (what == "changed by another")


async def test_a_mark_that_never_gets_through_is_told() -> None:
    store = RacingStore()
    store.before = ["lost", *["changed by another"] * 100]
    with pytest.raises(UnknownOutcomeError):
        await Underreplication(store, ManualClock()).mark(7, ["a"])


async def test_the_repair_is_switched_off_and_on(
    marked: Underreplication, store: MetadataStore
) -> None:
    assert await marked.enabled()
    await marked.enable(False)
    await marked.enable(False)
    assert not await marked.enabled()
    assert await store.get("/ledgers/underreplication/disable") is not None
    await marked.enable()
    await marked.enable()
    assert await marked.enabled()


async def test_the_first_configured_delay_counts_until_it_is_set(
    marked: Underreplication, store: MetadataStore
) -> None:
    assert await marked.lost_bookie_recovery_delay_s(30) == 30
    assert await marked.lost_bookie_recovery_delay_s(99) == 30
    await marked.set_lost_bookie_recovery_delay_s(5)
    assert await marked.lost_bookie_recovery_delay_s(99) == 5
    path = "/ledgers/underreplication/lostBookieRecoveryDelay"
    node = await store.get(path)
    assert node is not None
    assert node.value == b"5"
    await store.set(path, b"soon")
    with pytest.raises(MalformedRecordError):
        await marked.lost_bookie_recovery_delay_s(99)
    await store.delete(path)
    await marked.set_lost_bookie_recovery_delay_s(6)
    assert await marked.lost_bookie_recovery_delay_s(99) == 6


async def test_two_may_write_the_first_delay_at_once() -> None:
    store = RacingStore()
    store.before = ["created by another"]
    marked = Underreplication(store, ManualClock())
    with pytest.raises(MalformedRecordError):  # what the other wrote here is none
        await marked.lost_bookie_recovery_delay_s(30)


async def test_the_time_of_the_last_check(marked: Underreplication, store: MetadataStore) -> None:
    assert await marked.last_check_ms() is None
    await marked.checked(300)
    await marked.checked(301)
    assert await marked.last_check_ms() == 301
    node = await store.get("/ledgers/underreplication/checkallledgersctime")
    assert node is not None
    assert node.value == b"\x08\xad\x02"


async def test_the_watch_hints_at_marks_and_switches(marked: Underreplication) -> None:
    hints: list[str] = []
    end = marked.watch(hints.append)
    await marked.mark(7, ["a"])
    await marked.enable(False)
    await asyncio.sleep(0.01)
    assert {MARKERS, "/ledgers/underreplication/disable"} <= set(hints)
    end()
    hints.clear()
    await marked.enable()
    await asyncio.sleep(0.01)
    assert not hints
