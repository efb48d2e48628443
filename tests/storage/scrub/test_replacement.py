"""Rows of damaged blocks go when nothing that is expected hangs on them."""

from functools import partial

from magnetar_proto.bookie import RECOVERY_ADD, Status
from magnetar_storage.location_index import Row
from magnetar_storage.scrub.id_runs import IdRun
from magnetar_storage.scrub.replacement import drop_rows

from tests.proto.bookie_contract import LEDGER
from tests.storage.support import Box, flip

STRIPED = [each for each in range(90) if each % 3 != 2]


async def damaged(box: Box) -> Row:
    """A block with two of three ids, spoilt."""
    await box.add(STRIPED)
    await box.bookie.flush()
    await box.reopen()  # the next flush begins another log
    (row,) = box.parts.catalog.index.between(LEDGER, 0, 89)
    flip(box.logs[0], row.offset + 100)
    return row


def expected(ids: list[int], _end: int) -> list[IdRun]:
    return [(each, each) for each in ids]


async def test_all_are_added_again(box: Box) -> None:
    row = await damaged(box)
    await box.add(STRIPED, flags=RECOVERY_ADD)
    await box.bookie.flush()
    assert (await box.read(2, 1))[0] is Status.IO_ERROR  # the gaps still point to the old block
    assert await drop_rows(box.bookie.engines[0], [row], partial(expected, STRIPED)) == 1
    assert (await box.read(2, 1))[0] is Status.NO_ENTRY
    assert {each.log_id for each in box.parts.catalog.index.between(LEDGER, 0, 89)} != {row.log_id}
    old = box.logs[0]
    await box.bookie.release_damaged_logs()
    assert old not in box.logs
    await box.restart()
    assert (await box.read(2, 1))[0] is Status.NO_ENTRY
    assert (await box.read(3, 2))[2] == (await box.read(3))[2]


async def test_one_is_not(box: Box) -> None:
    """It stays unreadable, never absent; what nobody expects is absent."""
    row = await damaged(box)
    await box.add([each for each in STRIPED if each != 30], flags=RECOVERY_ADD)
    await box.bookie.flush()
    assert await drop_rows(box.bookie.engines[0], [row], partial(expected, STRIPED)) == 0
    assert (await box.read(30, 1))[0] is Status.IO_ERROR
    assert (await box.read(32, 1))[0] is Status.NO_ENTRY
    old = box.logs[0]
    await box.bookie.release_damaged_logs()
    assert old in box.logs
