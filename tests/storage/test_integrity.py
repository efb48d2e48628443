"""After damage: ledgers that are whole by their metadata are certain again, others are not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_ledger.striping import Quorum
from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.ledger_metadata import LedgerMetadata, LedgerState, Segment
from magnetar_proto.bookie import Status
from magnetar_storage.integrity import IntegrityCheck, runs_on

from tests.storage.support import Box
from tests.storage.test_ledger_engine import LOST, NEW, WHOLE, damage, status


class Registry:
    """Metadata of some ledgers."""

    def __init__(self, ledgers: dict[int, LedgerMetadata]) -> None:
        self.ledgers = ledgers
        self.malformed: set[int] = set()
        self.reads = 0

    async def list_ids(self) -> list[int]:
        return [*self.ledgers, *self.malformed]

    async def read(self, ledger_id: int) -> tuple[LedgerMetadata, int] | None:
        self.reads += 1
        if ledger_id in self.malformed:
            raise MalformedRecordError("ledger metadata", "planned")
        found = self.ledgers.get(ledger_id)
        return found and (found, 0)


def closed(bookie_id: str, last_entry: int) -> LedgerMetadata:
    segments = (Segment(0, (bookie_id,)),)
    return LedgerMetadata(1, 1, 1, segments, LedgerState.CLOSED, last_entry)


def opened(bookie_id: str) -> LedgerMetadata:
    return replace(closed(bookie_id, -1), state=LedgerState.OPEN)


@given(st.data())
def test_the_runs_of_a_bookie_are_those_of_the_striping(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 5))
    quorum = data.draw(st.integers(1, size))
    firsts = sorted(data.draw(st.sets(st.integers(1, 30), max_size=3)) | {0})
    last = data.draw(st.integers(firsts[-1] - 1, 40))
    names = [f"b{number}" for number in range(size + 2)]
    segments = [Segment(first, tuple(data.draw(st.permutations(names))[:size])) for first in firsts]
    metadata = LedgerMetadata(size, quorum, 1, tuple(segments), LedgerState.CLOSED, last)
    expected = []
    for entry_id in range(last + 1):
        segment = [each for each in segments if each.first_entry_id <= entry_id][-1]
        places = Quorum.of(metadata).write_set(entry_id)
        if "b0" in [segment.bookies[place] for place in places]:
            expected.append(entry_id)
    runs = list(runs_on(metadata, "b0"))
    assert [e for first, end in runs for e in range(first, end + 1)] == expected


async def test_whole_ledgers_are_certain_again(box: Box) -> None:
    """One that lost an entry is not, and is not read again."""
    await damage(box)
    bookie_id = box.bookie.bookie_id
    registry = Registry({each: closed(bookie_id, 0) for each in (LOST, WHOLE, NEW)})
    registry.ledgers[LOST] = closed(bookie_id, 1)
    check = IntegrityCheck(box.bookie, registry)
    for _ in range(2):
        await check.run()
    for _ in range(2):
        assert await status(box, WHOLE, 1) is Status.NO_ENTRY
        assert await status(box, LOST, 1) is Status.IO_ERROR
        assert await status(box, 99, 0) is Status.NO_LEDGER
        await box.restart()
    assert registry.reads == 2


async def test_an_open_ledger_stays_uncertain_until_it_is_closed(box: Box) -> None:
    await damage(box)
    bookie_id = box.bookie.bookie_id
    registry = Registry({LOST: opened(bookie_id)})
    check = IntegrityCheck(box.bookie, registry)
    await check.run()
    assert await status(box, LOST, 1) is Status.IO_ERROR
    registry.ledgers[LOST] = closed(bookie_id, 0)
    await check.run()
    assert await status(box, LOST, 1) is Status.NO_ENTRY


@pytest.mark.parametrize("last_entry", [-1, 0, 1])
async def test_a_ledger_that_metadata_has_elsewhere_stays_uncertain(
    box: Box, last_entry: int
) -> None:
    """It may be on its way here: what was copied is not asked for before metadata says so."""
    await damage(box)
    check = IntegrityCheck(box.bookie, Registry({LOST: closed("other", last_entry)}))
    await check.run()
    assert await status(box, LOST, 1) is Status.IO_ERROR


@pytest.mark.parametrize(
    ("metadata", "lost"),
    [
        pytest.param(closed("me", 3), True, id="closed with entries"),
        pytest.param(closed("me", -1), False, id="closed and empty"),
        pytest.param(closed("other", 3), False, id="on another bookie"),
        pytest.param(opened("me"), True, id="open"),
        pytest.param(opened("other"), False, id="open on another bookie"),
    ],
)
async def test_a_ledger_that_is_missing_keeps_unknown_ones_uncertain(
    box: Box, metadata: LedgerMetadata, lost: bool
) -> None:
    await damage(box, keep_key=False)
    names = tuple(box.bookie.bookie_id if b == "me" else b for b in metadata.segments[0].bookies)
    metadata = replace(metadata, segments=(Segment(0, names),))
    await IntegrityCheck(box.bookie, Registry({LOST: metadata})).run()
    assert box.bookie.uncertain == lost
    expected = Status.IO_ERROR if lost else Status.NO_LEDGER
    assert await status(box, LOST, 0) is expected


async def test_a_record_that_cannot_be_understood_keeps_only_its_own_ledger_uncertain(
    box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    await damage(box)
    bookie_id = box.bookie.bookie_id
    registry = Registry({each: closed(bookie_id, 0) for each in (WHOLE, NEW)})
    registry.malformed = {LOST}
    check = IntegrityCheck(box.bookie, registry)
    for _ in range(2):
        await check.run()
    assert await status(box, WHOLE, 1) is Status.NO_ENTRY
    assert await status(box, LOST, 1) is Status.IO_ERROR
    assert caplog.text.count("planned") == 1
    registry.malformed = set()  # an operator has mended it
    registry.ledgers[LOST] = closed(bookie_id, 0)
    await check.run()
    assert await status(box, LOST, 1) is Status.NO_ENTRY


async def test_a_missing_ledger_whose_record_cannot_be_understood_may_be_lost(box: Box) -> None:
    await damage(box, keep_key=False)
    registry = Registry({WHOLE: closed(box.bookie.bookie_id, 0)})
    registry.malformed = {LOST}
    await IntegrityCheck(box.bookie, registry).run()
    assert box.bookie.uncertain
    assert await status(box, WHOLE, 1) is Status.NO_ENTRY


async def test_without_damage_nothing_is_asked(box: Box) -> None:
    await box.add([0])
    registry = Registry({})
    await IntegrityCheck(box.bookie, registry).run()
    assert registry.reads == 0
