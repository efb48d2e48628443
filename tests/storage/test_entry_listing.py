"""Which entries of a ledger are here, wherever they are."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from magnetar_proto.bookie import Status

from tests.proto.bookie_contract import LEDGER
from tests.storage.support import Box, flip


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


async def listing(box: Box, ledger_id: int = LEDGER) -> tuple[Status, list[int]]:
    found: list[int] = []
    status = await box.bookie.list_entries(ledger_id, found.extend)
    assert found == sorted(found)
    return status, sorted(set(found))


async def test_entries_in_blocks_and_in_the_write_cache(box: Box) -> None:
    await box.open()
    assert await listing(box) == (Status.NO_LEDGER, [])
    striped = [n for n in range(1000) if n % 3]
    await box.add(striped)
    assert await listing(box) == (Status.OK, striped)
    await box.bookie.flush()
    assert await listing(box) == (Status.OK, striped)
    more = [0, 501, 999, 1000, 5000]
    await box.add(more)
    await box.add(range(7), ledger_id=LEDGER + 1)
    assert await listing(box) == (Status.OK, sorted({*striped, *more}))
    await box.bookie.flush()
    assert await listing(box) == (Status.OK, sorted({*striped, *more}))
    await box.restart()
    assert await listing(box) == (Status.OK, sorted({*striped, *more}))
    assert await listing(box, LEDGER + 1) == (Status.OK, list(range(7)))
    await box.bookie.close()


async def test_a_ledger_without_entry_zero(box: Box) -> None:
    await box.open()
    await box.add(range(10), ledger_id=LEDGER - 1)
    await box.add([5, 6])
    await box.bookie.flush()
    assert await listing(box) == (Status.OK, [5, 6])
    await box.bookie.close()


async def test_what_is_flushed_meanwhile_is_not_missed(box: Box) -> None:
    await box.open()
    await box.add(range(0, 2000, 2))
    await box.bookie.flush()
    await box.add(range(1, 2000, 2))
    found: list[int] = []
    flushing: list[asyncio.Task[None]] = []

    def feed(ids: Iterable[int]) -> None:
        found.extend(ids)
        if not flushing:
            flushing.append(asyncio.ensure_future(box.bookie.flush()))

    assert await box.bookie.list_entries(LEDGER, feed) is Status.OK
    assert sorted(set(found)) == list(range(2000))
    await flushing[0]
    await box.bookie.close()


async def test_a_damaged_block_ends_it(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    await box.open()
    await box.add(range(5))
    await box.bookie.flush()
    flip(box.logs[0], 100)
    assert (await listing(box))[0] is Status.IO_ERROR
    assert "cannot be listed" in caplog.text
    assert box.bookie.take_suspects() == [LEDGER], "it is to be repaired"
    await box.bookie.close()


async def test_a_ledger_that_is_deleted_meanwhile_has_none(box: Box) -> None:
    await box.open()
    await box.add(range(5))
    await box.bookie.flush()
    box.bookie.engines[0].records.pop(LEDGER)
    assert (await listing(box))[0] is Status.NO_LEDGER
    await box.bookie.close()


async def test_after_damage_to_a_journal_a_list_would_be_a_guess(box: Box) -> None:
    await box.open()
    await box.add(range(5))
    box.bookie.engines[0].entries_lost(1)
    assert (await listing(box))[0] is Status.IO_ERROR
    await box.bookie.close()
