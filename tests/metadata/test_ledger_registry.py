"""Ids and metadata of ledgers, also when the store's answers are lost."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from magnetar_metadata.errors import (
    BadVersionError,
    LedgerExistsError,
    MalformedRecordError,
    NoNodeError,
    UnknownLayoutError,
    UnknownOutcomeError,
)
from magnetar_metadata.ledger_layout import LAYOUT
from magnetar_metadata.ledger_metadata import LedgerMetadata, Segment
from magnetar_metadata.ledger_paths import ledger_path
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.memory import MemoryStore

from tests.metadata.clocks import ManualClock

OPEN = LedgerMetadata(1, 1, 1, (Segment(0, ("a:1",)),), creation_token=7)


class LossyStore(MemoryStore):
    """Loses the connection at creates, as `script` says: "before", "after" or not at all."""

    script: list[str]
    at_create: Callable[[], None] | None = None

    async def create(self, path: str, value: bytes, **kwargs: bool) -> str:
        what = self.script.pop(0) if self.script else ""
        if what == "before":
            raise UnknownOutcomeError(path)
        if what == "parent-gone":
            raise NoNodeError(path)
        created = await super().create(path, value, **kwargs)
        if what == "after":
            raise UnknownOutcomeError(path)
        return created


@pytest.fixture
def store() -> LossyStore:
    store = LossyStore(ManualClock())
    store.script = []
    return store


@pytest.fixture
def registry(store: LossyStore) -> LedgerRegistry:
    return LedgerRegistry(store)


async def test_ids_rise_and_leave_nothing_behind(
    store: LossyStore, registry: LedgerRegistry
) -> None:
    assert [await registry.new_ledger_id() for _ in range(3)] == [0, 1, 2]
    assert await store.children("/ledgers/idgen") == []


async def test_a_lost_answer_costs_a_number(store: LossyStore, registry: LedgerRegistry) -> None:
    store.script = ["after", "before"]
    assert await registry.new_ledger_id() == 1
    store.script = ["before"] * 3
    with pytest.raises(UnknownOutcomeError):
        await registry.new_ledger_id()


async def test_long_ids_follow_when_the_short_ones_are_used_up(
    store: LossyStore, registry: LedgerRegistry
) -> None:
    await store.create("/ledgers/idgen", b"")
    store._shared.tree.nodes["/ledgers/idgen"].sequence = 2**31 - 2
    assert await registry.new_ledger_id() == 2**31 - 2
    assert await registry.new_ledger_id() == 1 << 32
    assert await registry.new_ledger_id() == 1 << 32 | 1
    store._shared.tree.nodes["/ledgers/idgen-long/HOB-0000000001"].sequence = 2**31
    assert await registry.new_ledger_id() == 2 << 32


async def test_create_read_write_delete(store: LossyStore, registry: LedgerRegistry) -> None:
    assert await registry.read(5) is None
    version = await registry.create(5, OPEN)
    assert await registry.read(5) == (OPEN, version)
    changed = replace(OPEN, password=b"p")
    new_version = await registry.write(5, changed, version)
    assert await registry.read(5) == (changed, new_version)
    with pytest.raises(BadVersionError):
        await registry.write(5, OPEN, version)
    with pytest.raises(BadVersionError):
        await registry.delete(5, version)
    await registry.delete(5, new_version)
    assert await registry.read(5) is None
    with pytest.raises(NoNodeError):
        await registry.delete(5)


async def test_deleting_the_last_ledger_removes_empty_parents(
    store: LossyStore, registry: LedgerRegistry
) -> None:
    await registry.create(10_000, OPEN)
    await registry.create(20_000, OPEN)
    await registry.delete(10_000)
    assert await store.children("/ledgers/00") == ["0002"]
    await registry.delete(20_000)
    assert await store.children("/ledgers") == []


@pytest.mark.parametrize("script", [["after"], ["before"], ["parent-gone"], ["before", "after"]])
async def test_a_create_of_unknown_outcome_is_found_to_be_ours(
    store: LossyStore, registry: LedgerRegistry, script: list[str]
) -> None:
    store.script = script
    assert await registry.create(5, OPEN) == 0
    assert await registry.read(5) == (OPEN, 0)


async def test_anothers_ledger_is_not_taken_for_ours(
    store: LossyStore, registry: LedgerRegistry
) -> None:
    await registry.create(5, replace(OPEN, creation_token=8))
    with pytest.raises(LedgerExistsError):
        await registry.create(5, OPEN)
    store.script = ["before"]
    with pytest.raises(LedgerExistsError):
        await registry.create(5, OPEN)
    tokenless = replace(OPEN, creation_token=0)
    await registry.create(6, tokenless)
    with pytest.raises(LedgerExistsError):
        await registry.create(6, tokenless)


async def test_an_outcome_that_stays_unknown_is_told(
    store: LossyStore, registry: LedgerRegistry
) -> None:
    store.script = ["before"] * 3
    with pytest.raises(UnknownOutcomeError):
        await registry.create(5, OPEN)


async def test_listing_walks_both_forms_and_nothing_else(
    store: LossyStore, registry: LedgerRegistry
) -> None:
    ids = [0, 9_999, 10_000, 1_234_567_890, 2**31, 2**40]
    for ledger_id in reversed(ids):
        await registry.create(ledger_id, OPEN)
    for other in ("available/a:1", "cookies/a:1", "idgen/ID-", "idgen-long/HOB-1"):
        await store.create(f"/ledgers/{other}", b"")
    await store.create("/ledgers/LAYOUT", LAYOUT)
    await store.create("/ledgers/00/0000/Lxx", b"")
    assert await registry.list_ids() == ids


async def test_a_sync_is_of_all_ledgers(store: LossyStore) -> None:
    asked: list[str] = []

    async def sync(path: str) -> None:
        asked.append(path)

    store.sync = sync  # type: ignore[method-assign]
    await LedgerRegistry(store, "/other/ledgers").sync()
    assert asked == ["/other/ledgers"]


async def test_no_list_is_given_of_ledgers_that_stand_elsewhere(
    store: LossyStore, registry: LedgerRegistry
) -> None:
    await store.create("/ledgers/LAYOUT", LAYOUT.replace(b"meta.", b"meta.Long"))
    await store.create("/ledgers/000/0000/0000/0000/L0005", OPEN.encode())
    with pytest.raises(UnknownLayoutError, match="LongHierarchicalLedgerManagerFactory:1"):
        await registry.list_ids()


async def test_foreign_bytes_are_named(store: LossyStore, registry: LedgerRegistry) -> None:
    await store.create(ledger_path(5), b"?")
    with pytest.raises(MalformedRecordError):
        await registry.read(5)
