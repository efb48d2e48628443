"""No ledger id is given twice, whichever store gives it."""

import pytest
from magnetar_metadata.ledger_id_carry import carry_ledger_ids
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.memory import MemoryStore

from tests.metadata.clocks import ManualClock


def new_store() -> MemoryStore:
    return MemoryStore(ManualClock())


@pytest.mark.parametrize("given", [1, 5, 300])
async def test_ids_go_on_behind_those_that_were_given(given: int) -> None:
    source, target = new_store(), new_store()
    ids = [await LedgerRegistry(source).new_ledger_id() for _ in range(given)]
    steps: list[tuple[str, int, int]] = []
    next_id = await carry_ledger_ids(
        source, target, "/ledgers", lambda what, done, total: steps.append((what, done, total))
    )
    assert next_id > max(ids)
    assert await LedgerRegistry(target).new_ledger_id() == next_id
    assert steps[-1][1] == steps[-1][2] >= given
    assert await target.children("/ledgers/idgen") == []


async def test_a_target_that_is_further_stays_where_it_is() -> None:
    source, target = new_store(), new_store()
    await LedgerRegistry(source).new_ledger_id()
    ids = [await LedgerRegistry(target).new_ledger_id() for _ in range(10)]
    next_id = await carry_ledger_ids(source, target, "/ledgers", lambda *_: None)
    assert next_id > max(ids)
    assert await LedgerRegistry(target).new_ledger_id() == next_id


async def test_long_ids_go_on_too() -> None:
    source, target = new_store(), new_store()
    registry = LedgerRegistry(source)
    await source.create("/ledgers/idgen-long/HOB-0000000001", b"")
    await source.create("/ledgers/idgen-long/HOB-0000000002", b"")
    ids = [await registry.new_ledger_id() for _ in range(3)]
    assert ids[0] == 2 << 32
    await carry_ledger_ids(source, target, "/ledgers", lambda *_: None)
    assert await LedgerRegistry(target).new_ledger_id() > max(ids)


async def test_a_store_that_gave_none() -> None:
    assert await carry_ledger_ids(new_store(), new_store(), "/ledgers", lambda *_: None) == 0
