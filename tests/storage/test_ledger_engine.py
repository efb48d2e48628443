"""Which ledgers may have lost entries after damage to a journal, and until when."""

from pathlib import Path

from magnetar_proto.bookie import RECOVERY_ADD, Status

from tests.proto.bookie_contract import KEY, LEDGER, MAX_BYTES, Reads, entry_of
from tests.storage.support import Box, flip
from tests.storage.test_replay import group_offsets

LOST, WHOLE, NEW = 20, 21, 22


async def damage(box: Box, *, keep_key: bool = True) -> None:
    """Open a bookie whose journal lost a group in the middle: entry 1 of a ledger, or all of it."""
    await box.add([0], ledger_id=WHOLE)
    await box.bookie.flush()
    if keep_key:
        await box.add([0], ledger_id=LOST)
    await box.add([1] if keep_key else [0], ledger_id=LOST)
    await box.add([0], ledger_id=NEW)
    path = box.journals[-1]
    offset = group_offsets(path)[-2]
    await box.crash()
    flip(path, offset + 60)
    await box.open()


async def status(box: Box, ledger_id: int, entry_id: int) -> Status:
    return (await box.read(entry_id, 1, ledger_id=ledger_id))[0]


async def test_what_began_behind_the_damage_lost_nothing(box: Box) -> None:
    await damage(box)
    for _ in range(2):
        assert await status(box, LOST, 1) is Status.IO_ERROR
        assert await status(box, WHOLE, 1) is Status.IO_ERROR
        assert await status(box, NEW, 1) is Status.NO_ENTRY
        assert await status(box, 99, 0) is Status.IO_ERROR
        assert sorted(box.bookie.uncertain_ledgers()) == [LOST, WHOLE]
        for ledger_id in (LOST, WHOLE, NEW):
            assert (await box.read(0, 1, ledger_id=ledger_id))[2] == [entry_of(0, 20, ledger_id)]
        await box.reopen()


async def test_new_ledgers_of_an_uncertain_bookie_are_certain(box: Box) -> None:
    await damage(box)
    await box.add([0], ledger_id=30)
    for _ in range(2):
        assert await status(box, 30, 1) is Status.NO_ENTRY
        await box.restart()


async def test_a_lost_ledger_that_is_written_on_is_not_new(box: Box) -> None:
    """Its writer goes on with entry 1, recovery adds entry 0 again, a fence finds nothing."""
    await damage(box, keep_key=False)
    await box.add([1], ledger_id=LOST)
    await box.add([0], ledger_id=31, flags=RECOVERY_ADD)
    await box.fence(32)
    for _ in range(3):
        assert await status(box, LOST, 0) is Status.IO_ERROR
        assert await status(box, 31, 1) is Status.IO_ERROR
        assert await status(box, 32, 0) is Status.IO_ERROR
        await box.restart()


async def test_a_fence_that_finds_nothing_in_an_uncertain_bookie_is_told_as_unknown(
    box: Box,
) -> None:
    await damage(box, keep_key=False)
    assert await box.fence(LOST) is Status.IO_ERROR
    assert await box.add([5], ledger_id=LOST) == {5: Status.FENCED}


async def test_what_was_checked_is_certain_for_good(box: Box) -> None:
    await damage(box)
    await box.bookie.certify([LOST])
    for _ in range(2):
        assert await status(box, LOST, 1) is Status.NO_ENTRY
        assert await status(box, WHOLE, 1) is Status.IO_ERROR
        assert await status(box, 99, 0) is Status.IO_ERROR
        await box.restart()
    await box.bookie.certify([WHOLE, 1234], unknown=True)
    for _ in range(2):
        assert await status(box, WHOLE, 1) is Status.NO_ENTRY
        assert await status(box, 99, 0) is Status.NO_LEDGER
        assert not box.bookie.uncertain
        assert box.bookie.uncertain_ledgers() == []
        await box.restart()


async def test_later_damage_makes_all_uncertain_again(box: Box) -> None:
    await damage(box)
    await box.bookie.certify([LOST, WHOLE], unknown=True)
    await box.bookie.flush()
    for entry_id in (2, 3, 4):
        await box.add([entry_id], ledger_id=LOST)
    path = box.journals[-1]
    offset = group_offsets(path)[-2]
    await box.crash()
    flip(path, offset + 60)
    await box.open()
    assert await status(box, LOST, 3) is Status.IO_ERROR
    assert await status(box, NEW, 1) is Status.IO_ERROR
    assert await status(box, 99, 0) is Status.IO_ERROR
    assert await status(box, LOST, 4) is Status.OK


async def test_damage_in_one_of_several_journals(tmp_path: Path) -> None:
    """A ledger's records may stand in several journals: none that is replayed now is certain."""
    box = Box(tmp_path)
    box.journal_names = ["journal", "other"]
    await box.open()
    for ledger_id in (20, 21):
        for entry_id in range(3):
            await box.add([entry_id], ledger_id=ledger_id)
    path = box.journals[-1]
    offset = group_offsets(path)[1]
    await box.crash()
    flip(path, offset + 60)
    await box.open()
    assert sorted(box.bookie.uncertain_ledgers()) == [20, 21]
    assert await status(box, 20, 1) is Status.IO_ERROR
    assert await status(box, 20, 2) is Status.OK
    assert (await box.read(0, ledger_id=21))[2] == [entry_of(e, 20, 21) for e in range(3)]
    await box.bookie.close()


async def test_a_closing_engine_refuses_reads(box: Box) -> None:
    box.bookie.engines[0].stop()
    sink = Reads()
    box.bookie.read(LEDGER, 0, 1, MAX_BYTES, 0, KEY, sink, 0)
    await box.settle()
    assert sink.rows[0][1] is Status.UNAVAILABLE
