"""The blocks of a ledger, read and checked."""

import pytest
from magnetar_proto.bookie import RECOVERY_ADD, Status
from magnetar_runtime.clock import SystemClock
from magnetar_storage.scrub import block_check
from magnetar_storage.scrub.block_check import BlockCheck, Findings

from tests.proto.bookie_contract import LEDGER
from tests.storage.support import Box, flip

RATE = 1 << 40
SIZE = 1000
COUNT = 300  # about 130 fill a block


async def written(box: Box) -> None:
    for ledger_id in (LEDGER - 1, LEDGER, LEDGER + 1):
        await box.add(range(COUNT), ledger_id=ledger_id, size=SIZE)
    await box.bookie.flush()


async def examined(box: Box, ledger_id: int = LEDGER) -> Findings:
    check = BlockCheck(RATE, SystemClock(), box.bookie.counters)
    return await check.examine(box.bookie.engines[0], ledger_id)


async def test_all_of_a_ledger_is_read(box: Box) -> None:
    await written(box)
    findings = await examined(box)
    assert (findings.present.runs, findings.damaged) == ([(0, COUNT - 1)], [])
    assert box.bookie.counters.scrubbed_entries == COUNT
    assert box.bookie.counters.scrubbed_bytes > COUNT * SIZE
    assert (await examined(box, 99)).present.runs == []


async def test_ledger_0_too(box: Box) -> None:
    await box.add([0, 2], ledger_id=0)
    await box.bookie.flush()
    assert (await examined(box, 0)).present.runs == [(0, 0), (2, 2)]


async def test_a_damaged_block_is_found_though_a_reader_has_it_in_memory(box: Box) -> None:
    await written(box)
    rows = box.parts.catalog.index.between(LEDGER, 0, COUNT)
    assert len(rows) == 3
    assert (await box.read(0))[0] is Status.OK
    flip(box.logs[0], rows[1].offset + 500)
    assert (await box.read(rows[1].first_entry))[0] is Status.OK
    findings = await examined(box)
    assert findings.damaged == [rows[1]]
    assert findings.present.runs == [(0, rows[0].last_entry), (rows[2].first_entry, COUNT - 1)]


async def test_a_log_that_is_cut_or_gone_is_damage(box: Box) -> None:
    await written(box)
    rows = box.parts.catalog.index.between(LEDGER, 0, COUNT)
    log = box.logs[0]
    log.write_bytes(log.read_bytes()[: rows[2].offset + 10])
    assert (await examined(box)).damaged == rows[2:]
    await box.restart()
    log.unlink()
    assert (await examined(box)).damaged == rows


async def test_a_block_that_is_another_ledgers_is_damage(box: Box) -> None:
    await written(box)
    row, other = (box.parts.catalog.index.between(each, 0, 0)[0] for each in (LEDGER, LEDGER + 1))
    data = bytearray(box.logs[0].read_bytes())
    assert row.length == other.length
    data[row.offset : row.offset + row.length] = data[other.offset : other.offset + other.length]
    box.logs[0].write_bytes(data)
    assert (await examined(box)).damaged == [row]


async def test_rows_that_share_a_block_read_it_once_in_a_row(box: Box) -> None:
    await box.add(range(30), size=SIZE)
    await box.bookie.flush()
    await box.add([10], size=20, flags=RECOVERY_ADD)
    await box.bookie.flush()
    findings = await examined(box)
    assert findings.present.runs == [(0, 29)]
    assert box.bookie.counters.scrubbed_entries == 30


async def test_what_it_keeps_of_damage_is_bounded(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_check, "MAX_DAMAGED_ROWS", 2)
    await written(box)
    rows = box.parts.catalog.index.between(LEDGER, 0, COUNT)
    box.logs[0].write_bytes(b"")
    assert (await examined(box)).damaged == rows[:2]
