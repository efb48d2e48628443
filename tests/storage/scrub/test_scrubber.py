"""The scrubber on an engine, its replicas a dictionary."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from magnetar_metadata.errors import MetadataError
from magnetar_metadata.ledger_metadata import LedgerMetadata, LedgerState, Segment
from magnetar_proto.bookie import RECOVERY_ADD, Status
from magnetar_runtime.clock import SystemClock
from magnetar_storage.scrub.config import ScrubConfig
from magnetar_storage.scrub.id_runs import IdRun, count_ids
from magnetar_storage.scrub.scrubber import Scrubber

from tests.proto.bookie_contract import LEDGER
from tests.storage.support import Box, flip
from tests.storage.test_integrity import Registry, closed, opened
from tests.storage.test_ledger_engine import LOST, WHOLE, damage, status

SIZE = 1000
COUNT = 300
CONFIG = ScrubConfig(
    max_retry_ms=1, interval_ms=1, first_delay_ms=0, rate_bytes_per_s=1 << 40, retry_ms=1
)


class Replicas:
    """A mender. Entries of `lost` are nowhere."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.lost: set[int] = set()
        self.asked: list[tuple[int, list[IdRun]]] = []

    async def mend(self, ledger_id: int, metadata: LedgerMetadata, runs: Sequence[IdRun]) -> int:
        self.asked.append((ledger_id, list(runs)))
        ids = {each for first, last in runs for each in range(first, last + 1)} - self.lost
        answers = await self.box.add(
            sorted(ids), ledger_id=ledger_id, size=SIZE, flags=RECOVERY_ADD
        )
        assert set(answers.values()) <= {Status.OK}
        return len(ids)


class World:
    """A bookie, what metadata says, and a scrubber."""

    def __init__(self, box: Box, ledgers: dict[int, LedgerMetadata]) -> None:
        self.box = box
        self.registry = Registry(ledgers)
        self.replicas = Replicas(box)
        self.restarted()

    def restarted(self) -> None:
        bookie = self.box.bookie
        self.scrubber = Scrubber(bookie, self.registry, self.replicas, CONFIG, SystemClock())

    async def run(self) -> None:
        await asyncio.sleep(0.002)
        await self.scrubber.run_due()

    async def whole(self, ledger_id: int = LEDGER, ids: Sequence[int] = range(COUNT)) -> bool:
        found = [(await self.box.read(each, 1, ledger_id=ledger_id))[0] for each in ids]
        return set(found) == {Status.OK}


async def world_of(box: Box, last_entry: int = COUNT - 1) -> World:
    await box.add(range(COUNT), size=SIZE)
    await box.reopen()
    return World(box, {LEDGER: closed(box.bookie.bookie_id, last_entry)})


def damage_block(box: Box, entry_id: int) -> Path:
    row = box.parts.catalog.index.between(LEDGER, entry_id, entry_id)[0]
    flip(box.logs[0], row.offset + 500)
    return box.logs[0]


async def test_what_is_whole_is_left_alone(box: Box) -> None:
    world = await world_of(box)
    await world.run()
    assert world.replicas.asked == []
    counters = box.bookie.counters
    assert (counters.scrub_passes, counters.scrub_entries_bad) == (1, 0)
    assert counters.scrubbed_entries == COUNT


async def test_a_bad_block_is_replaced_and_its_log_goes(box: Box) -> None:
    world = await world_of(box)
    old = damage_block(box, 150)
    await world.run()
    ((ledger_id, runs),) = world.replicas.asked
    assert (ledger_id, runs[0][0] <= 150 <= runs[0][1], len(runs)) == (LEDGER, True, 1)
    assert await world.whole()
    counters = box.bookie.counters
    assert counters.scrub_entries_bad == counters.scrub_entries_mended == count_ids(runs)
    await world.run()
    assert len(world.replicas.asked) == 1
    assert await box.bookie.compact(1.1, 1 << 40) == 1
    assert old not in box.logs
    await box.restart()
    assert await world.whole()


async def test_a_log_that_is_gone_comes_back(box: Box) -> None:
    world = await world_of(box)
    await box.crash()
    box.logs[0].unlink()
    await box.open()
    world.restarted()
    await world.run()
    assert world.replicas.asked == [(LEDGER, [(0, COUNT - 1)])]
    assert await world.whole()


async def test_entries_that_are_missing_come_back(box: Box) -> None:
    """Metadata says more than there is, as after a torn group that was not torn."""
    world = await world_of(box, COUNT + 9)
    await world.run()
    assert world.replicas.asked == [(LEDGER, [(COUNT, COUNT + 9)])]
    assert await world.whole(ids=range(COUNT + 10))


async def test_a_ledger_of_which_nothing_is_left(box: Box) -> None:
    world = await world_of(box)
    world.registry.ledgers[9] = closed(box.bookie.bookie_id, 3)
    await world.run()
    assert world.replicas.asked == [(9, [(0, 3)])]
    assert await world.whole(9, range(4))


async def test_only_what_the_striping_puts_here(box: Box) -> None:
    me = box.bookie.bookie_id
    ids = [each for each in range(90) if each % 3 != 1]  # places 2 and 0 of a write quorum of 2
    await box.add(ids)
    await box.reopen()
    segments = (Segment(0, (me, "b", "c")),)
    world = World(box, {LEDGER: LedgerMetadata(3, 2, 2, segments, LedgerState.CLOSED, 89)})
    damage_block_at = box.parts.catalog.index.between(LEDGER, 0, 89)[0].offset
    flip(box.logs[0], damage_block_at + 100)
    await world.run()
    ((_, runs),) = world.replicas.asked
    assert [each for first, last in runs for each in range(first, last + 1)] == ids
    assert await world.whole(ids=ids)
    assert await status(box, LEDGER, 1) is Status.NO_ENTRY


async def test_of_an_open_ledger_what_blocks_had(box: Box) -> None:
    world = await world_of(box)
    world.registry.ledgers[LEDGER] = opened(box.bookie.bookie_id)
    damage_block(box, 150)
    await world.run()
    assert len(world.replicas.asked) == 1
    assert await world.whole()
    assert await status(box, LEDGER, COUNT) is Status.NO_ENTRY


async def test_entries_in_the_write_cache_are_not_missing(box: Box) -> None:
    world = await world_of(box, COUNT + 9)
    await box.add(range(COUNT, COUNT + 10), size=SIZE)
    damage_block(box, 150)
    await box.add([150], size=SIZE, flags=RECOVERY_ADD)
    await world.run()
    ((_, runs),) = world.replicas.asked
    ids = [each for first, last in runs for each in range(first, last + 1)]
    assert 150 not in ids
    assert max(ids) < COUNT
    assert await world.whole(ids=range(COUNT + 10))


async def test_what_no_replica_has_is_tried_again_and_never_called_absent(box: Box) -> None:
    world = await world_of(box)
    damage_block(box, 150)
    world.replicas.lost = {150}
    await world.run()
    assert world.scrubber.waiting == 1
    assert await status(box, LEDGER, 150) is Status.IO_ERROR
    assert await status(box, LEDGER, 149) is Status.OK
    world.replicas.lost = set()
    await world.run()
    assert world.scrubber.waiting == 0
    assert world.replicas.asked[-1] == (LEDGER, [(150, 150)])
    assert await world.whole()


async def test_a_read_that_meets_damage_has_it_repaired_without_a_pass(box: Box) -> None:
    world = await world_of(box)
    config = replace(CONFIG, interval_ms=0)
    world.scrubber = Scrubber(box.bookie, world.registry, world.replicas, config, SystemClock())
    damage_block(box, 150)
    await world.run()
    assert world.replicas.asked == []
    assert await status(box, LEDGER, 150) is Status.IO_ERROR
    await world.run()
    assert await world.whole()


async def test_deleted_ledgers_and_those_of_others_are_left_alone(box: Box) -> None:
    world = await world_of(box)
    damage_block(box, 150)
    for metadata in (closed("another", COUNT), None):
        world.registry.ledgers.clear()
        if metadata is not None:
            world.registry.ledgers[LEDGER] = metadata
        await world.run()
    assert world.replicas.asked == []
    assert await status(box, LEDGER, 150) is Status.IO_ERROR


async def test_a_ledger_in_doubt_is_certain_when_it_is_whole(box: Box) -> None:
    await damage(box)
    bookie_id = box.bookie.bookie_id
    world = World(box, {LOST: closed(bookie_id, 1), WHOLE: closed(bookie_id, 0)})
    assert await status(box, LOST, 1) is Status.IO_ERROR
    await world.run()
    assert world.replicas.asked == [(LOST, [(1, 1)])]
    for _ in range(2):
        assert await status(box, LOST, 1) is Status.OK
        assert await status(box, LOST, 2) is Status.NO_ENTRY
        assert await status(box, WHOLE, 1) is Status.NO_ENTRY
        await box.restart()


async def test_a_record_that_cannot_be_understood_ends_no_pass(
    box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    world = await world_of(box, COUNT + 9)
    await box.add([0], ledger_id=LEDGER - 1)
    world.registry.malformed = {LEDGER - 1, LEDGER + 1}
    world.registry.ledgers[LEDGER + 2] = closed(box.bookie.bookie_id, 3)
    await world.run()
    assert [ledger_id for ledger_id, _ in world.replicas.asked] == [LEDGER, LEDGER + 2]
    assert box.bookie.counters.scrub_passes == 1
    assert f"ledger {LEDGER - 1} is not scrubbed" in caplog.text


async def test_without_metadata_nothing_is_done(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    world = await world_of(box)

    async def away(*_: object) -> None:
        raise MetadataError("/ledgers", "away")

    with monkeypatch.context() as patch:
        patch.setattr(world.registry, "read", away)
        damage_block(box, 150)
        await status(box, LEDGER, 150)
        await world.run()
        patch.setattr(world.registry, "list_ids", away)
        await world.run()
    assert (world.replicas.asked, world.scrubber.waiting) == ([], 1)
    assert box.bookie.counters.scrub_passes == 0
    await world.run()
    assert await world.whole()
