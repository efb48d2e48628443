"""The journal: groups, completions, files, failure."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from magnetar_proto.bookie import Status
from magnetar_runtime.clock import SystemClock
from magnetar_storage.counters import BookieCounters
from magnetar_storage.journal import Journal
from magnetar_storage.journal_files import JournalFiles
from magnetar_storage.journal_format import (
    FILE_HEADER_BYTES,
    GROUP_HEADER_BYTES,
    GroupFlag,
    decode_group,
)

from tests.proto.bookie_contract import Adds
from tests.storage.support import Box, FailingDisk, InlineWorker, flip
from tests.storage.test_replay import group_offsets

FILE_BYTES = 32 << 10


class Owner:
    def __init__(self) -> None:
        self.settled = 0
        self.errors: list[BaseException] = []

    def journal_settled(self) -> None:
        self.settled += 1

    def journal_failed(self, error: BaseException) -> None:
        self.errors.append(error)


class Rig:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.disk = FailingDisk()
        self.files = JournalFiles(self.disk, str(directory), 2)
        self.worker = InlineWorker()
        self.housekeeper = InlineWorker()
        self.owner = Owner()
        self.counters = BookieCounters()
        self.journal = Journal(
            self.files,
            FILE_BYTES,
            worker=self.worker,
            housekeeper=self.housekeeper,
            clock=SystemClock(),
            rng=random.Random(3),
            loop=asyncio.get_running_loop(),
            counters=self.counters,
            owner=self.owner,
        )
        self.sink = Adds()
        self.next = 0

    def append(self, count: int = 1, size: int = 100, sink: Adds | None = None) -> None:
        ids = range(self.next, self.next + count)
        self.next += count
        total = count * (size + 36)
        headers, payloads = [b"h" * 36] * count, [bytes(size)] * count
        self.journal.append(headers, payloads, total, sink or self.sink, ids)

    async def settle(self) -> None:
        await self.journal.drain()
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
async def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path)
    await rig.journal.begin(4, 10, 4)
    return rig


async def test_all_adds_of_one_turn_share_a_sync(rig: Rig) -> None:
    rig.append(50)
    assert rig.journal.waiting_bytes == 50 * 136
    await rig.settle()
    assert rig.counters.journal_syncs == 1
    assert rig.sink.batches == [(list(range(50)), Status.OK)]
    assert rig.journal.waiting_bytes == 0
    assert rig.journal.synced.sequence == 11
    assert sum(rig.counters.journal_sync_buckets) == 1


async def test_what_comes_during_a_sync_is_the_next_group(rig: Rig) -> None:
    rig.worker.holding = True
    rig.append(3)
    await asyncio.sleep(0)
    rig.append(2)
    await asyncio.sleep(0)
    rig.append(2)
    await asyncio.sleep(0)
    assert len(rig.worker.held) == 1
    rig.worker.release()
    await rig.settle()
    assert rig.sink.batches == [([0, 1, 2], Status.OK), ([3, 4, 5, 6], Status.OK)]


async def test_a_force_waits_for_what_was_added_before_it_and_no_longer(rig: Rig) -> None:
    told: list[tuple[str, Status]] = []

    def force(name: str) -> None:
        rig.journal.force(lambda status: told.append((name, status)))

    force("nothing")
    assert told == []
    await rig.settle()
    assert told == [("nothing", Status.OK)]
    rig.worker.holding = True
    rig.append(1)
    await asyncio.sleep(0)
    force("in flight")
    rig.append(1)
    force("behind")
    await asyncio.sleep(0)
    assert len(told) == 1
    (call, done), rig.worker.held = rig.worker.held[0], []
    done(call(), None)
    assert told[1:] == [("in flight", Status.OK)]
    rig.worker.release()
    await rig.settle()
    assert told[2:] == [("behind", Status.OK)]


async def test_sinks_are_told_of_their_own_adds(rig: Rig) -> None:
    other = Adds()
    for _ in range(3):
        rig.append(1)
        rig.append(1, sink=other)
    await rig.settle()
    assert rig.sink.batches == [([0, 2, 4], Status.OK)]
    assert other.batches == [([1, 3, 5], Status.OK)]


async def test_a_sink_that_raises_does_not_keep_others_waiting(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Adds):
        def adds_completed(self, entry_ids: Sequence[int], status: Status) -> None:
            raise RuntimeError("planned")

    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: reported.append(what))
    rig.append(1, sink=Broken())
    rig.append(1)
    rig.journal.append_fence(1, lambda status: rig.append(1))
    await rig.settle()
    assert rig.sink.entry_ids == [1, 2]
    assert reported


async def test_groups_never_span_files_and_large_ones_get_their_own(rig: Rig) -> None:
    for count, size in ((5, 5000), (5, 5000), (1, 100_000), (5, 5000)):
        rig.append(count, size)
        await rig.settle()
    numbers = rig.files.numbers()
    lengths = [rig.files.open(number).header.length for number in numbers]
    assert numbers == list(range(4, 4 + len(numbers)))
    assert max(lengths) > 100_000
    assert lengths.count(FILE_BYTES) >= 3
    assert len(rig.sink.entry_ids) == 16


async def test_retired_files_are_used_again(rig: Rig) -> None:
    for _ in range(6):
        rig.append(1, 20_000)
        await rig.settle()
    rig.journal.retire_before(rig.journal.synced)
    await rig.settle()
    assert min(rig.files.numbers()) == rig.journal.synced.number
    assert len(list(rig.directory.glob("*.spare"))) == 2
    for _ in range(4):
        rig.append(1, 20_000)
        await rig.settle()
    assert not list(rig.directory.glob("*.spare"))


async def test_the_end_is_marked(rig: Rig) -> None:
    rig.append(1)
    await rig.settle()
    end = rig.journal.synced
    await rig.journal.close()
    file = rig.files.open(4)
    data = file.file.read_at(0, 1 << 20)
    first = decode_group(data, FILE_HEADER_BYTES, file.header.file_id)
    assert FILE_HEADER_BYTES + first.size == end.offset
    last = decode_group(data, end.offset, file.header.file_id)
    assert (last.flags, last.sequence) == (GroupFlag.CLEAN_END, 11)
    file.file.close()


async def test_a_failed_sync_ends_all_that_waits_and_all_that_comes(rig: Rig) -> None:
    told: list[Status] = []
    rig.worker.holding = True
    rig.append(2)
    await asyncio.sleep(0)
    rig.append(1)
    rig.journal.append_fence(1, told.append)
    rig.disk.failing = "journal"
    rig.worker.release()
    await rig.settle()
    assert len(rig.owner.errors) == 1
    assert set(rig.sink.by_entry.values()) == {Status.IO_ERROR}
    assert told == [Status.IO_ERROR]
    syncs = rig.disk.syncs
    rig.append(1)
    rig.journal.force(told.append)
    await rig.settle()
    assert told == [Status.IO_ERROR] * 2
    assert rig.disk.syncs == syncs
    assert set(rig.sink.by_entry.values()) == {Status.IO_ERROR}
    assert rig.journal.waiting_bytes == 0
    await rig.journal.close()


async def test_a_file_that_cannot_be_prepared_is_a_failure(rig: Rig) -> None:
    rig.disk.failing = "preparing"
    rig.append(1, 20_000)
    rig.append(1, 20_000)
    await rig.settle()
    assert set(rig.sink.by_entry.values()) == {Status.IO_ERROR}
    assert rig.owner.errors


class TestSeal:
    """An empty group behind the last one tells damage from a torn write."""

    @pytest.fixture
    async def sealing(self, tmp_path: Path) -> AsyncIterator[Box]:
        box = Box(tmp_path, journal_seal_ms=1)
        await box.open()
        yield box
        await box.bookie.close()

    async def sealed(self, box: Box) -> int:
        """Wait until the journal has its seal; the sequence of the next group."""
        (journal,) = box.bookie.journals.all
        async with asyncio.timeout(10):
            while journal._sealed != journal.synced.sequence:
                await asyncio.sleep(0.001)
        return journal.synced.sequence

    async def test_a_damaged_last_group_is_not_taken_for_a_torn_one(self, sealing: Box) -> None:
        await sealing.add([0])
        await self.sealed(sealing)
        path = sealing.journals[-1]
        offset = group_offsets(path)[-2]
        await sealing.crash()
        flip(path, offset + 60)
        await sealing.open()
        assert (await sealing.read(0))[0] is Status.IO_ERROR

    async def test_a_damaged_seal_costs_nothing(self, sealing: Box) -> None:
        await sealing.add([0])
        await self.sealed(sealing)
        path = sealing.journals[-1]
        offset = group_offsets(path)[-1]
        await sealing.crash()
        flip(path, offset + 10)
        await sealing.open()
        assert (await sealing.read(0))[0] is Status.OK
        assert not sealing.bookie.uncertain

    async def test_there_is_one_for_each_rest(self, sealing: Box) -> None:
        first = None
        for entry_id in range(3):
            await sealing.add([entry_id])
            sequence = await self.sealed(sealing)
            await asyncio.sleep(0.01)
            assert sequence == sealing.bookie.journals.all[0].synced.sequence
            assert first is None or sequence == first + 2 * entry_id
            first = sequence if first is None else first
        await sealing.restart()
        assert len((await sealing.read(0))[2]) == 3
        assert not sealing.bookie.uncertain

    async def test_none_while_there_is_work_or_when_it_is_off(self, box: Box) -> None:
        await box.add([0])
        await asyncio.sleep(0.01)
        assert box.bookie.journals.all[0]._sealed == -1

    async def test_no_file_is_begun_for_it(self, tmp_path: Path) -> None:
        """It leaves the room of the end marker."""
        box = Box(tmp_path, journal_seal_ms=1)
        await box.open()
        journal = box.bookie.journals.all[0]
        assert journal.supply.current is not None
        journal.synced = journal.synced._replace(
            offset=journal.supply.current.header.length - 2 * GROUP_HEADER_BYTES + 1
        )
        before = journal.synced
        journal._seal(before.sequence)
        await box.settle()
        assert journal.synced == before
        await box.bookie.close()
