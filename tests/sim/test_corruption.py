"""Every byte of a journal and of an entry log turned over, every length cut, for the real readers.

What is served is right; what is not served is an I/O error, never "no such entry". A byte that no
reader looks at is harmless, and shown to be: everything is served. Apart stands the last group of
a journal after an unclean stop: damage there cannot be told from a torn write.
"""

import os
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from magnetar_proto.bookie import Status
from magnetar_runtime import sim
from magnetar_runtime.sim import LossPolicy, SimDisk
from magnetar_storage.entry_log_format import BLOCK_MAGIC, LOG_HEADER_BYTES, Block
from magnetar_storage.errors import EntryLogFormatError, JournalFormatError
from magnetar_storage.journal_files import JournalFiles
from magnetar_storage.journal_format import (
    FILE_HEADER_BYTES,
    GROUP_MAGIC,
    decode_file_header,
    decode_group,
)

from tests.sim.bookie_world import Layout, Machine
from tests.sim.truth import Event

FILE_BYTES = 64 << 10
ROOMY = {
    "journal_file_bytes": FILE_BYTES,
    "write_cache_bytes": 8 << 20,
    "read_cache_bytes": 1,  # no block stays in memory
    "entry_log_bytes": FILE_BYTES,
}
JOURNAL = "drive/journal0/0000000000000001.journal"
LOG = "drive/ledgers0/entries/0000000000000001.log"
LEDGERS = (1, 2, 3)
STRIDE = 205
FLIPS = int(os.environ.get("CORRUPTION_FLIPS", "1000"))
FIRST_FLIP = int(os.environ.get("CORRUPTION_FIRST", "0"))
SEED_STEP = 1_000_000  # seeds of a nightly run begin at a multiple

Entries = dict[int, dict[int, bytes]]
Before = tuple[SimDisk, Entries]


def on_machine(
    disk: SimDisk, main: Callable[[Machine], Coroutine[Any, Any, None]], log: list[Event]
) -> None:
    async def with_machine(world: sim.Simulation) -> None:
        machine = Machine(world, disk, log, Layout())
        await machine.start(**ROOMY)
        await main(machine)

    sim.run(with_machine, loop_shape=sim.CALM)


def filled(disk: SimDisk, path: str) -> int:
    """Bytes up to the last that is not zero."""
    return len(content(disk, path).rstrip(b"\0")) if disk.exists(path) else 0


@cache
def written(*, flushed: bool) -> Before:
    """A disk whose journal file, or entry log, is nearly full, after a power cut."""
    disk, log = SimDisk(), list[Event]()
    path = LOG if flushed else JOURNAL

    async def main(machine: Machine) -> None:
        rng, entry_id = Random(5), 0
        while filled(disk, path) < FILE_BYTES - 4_000:
            for _ in range(4):
                ids = range(entry_id, entry_id + rng.choice((1, 4, 8)))
                entry_id = ids.stop
                machine.add(rng.choice(LEDGERS), ids, rng.choice((0, 40, 300)), entry_id)
                await machine.settled()
                if not flushed:
                    break
            if flushed:
                await machine.bookie.flush()

    on_machine(disk, main, log)
    entries: Entries = {}
    for event in log:
        if event.what == "acked":
            assert event.value is not None
            entries.setdefault(event.ledger_id, {})[event.entry_id] = event.value
    return disk.crashed(LossPolicy.NOTHING, Random(1)), entries


def flipped_bit(offset: int) -> int:
    """A mask: the bits take turns."""
    return 1 << offset % 8


async def outcome(machine: Machine, entries: Entries) -> tuple[int, set[Status]]:
    """How many entries are missing, and what is said instead; what is served must be right."""
    missing, said = 0, set()
    for ledger_id, of_ledger in entries.items():
        at = 0
        ids = sorted(of_ledger)
        while at < len(ids):
            status, found = await machine.read(ledger_id, ids[at])
            for entry_id, entry in enumerate(found, ids[at]):
                assert of_ledger.get(entry_id) == entry, f"{ledger_id}:{entry_id} is false"
            if not found:
                missing += 1
                said.add(status)
            at += max(1, len(found))
    return missing, said


def content(disk: SimDisk, path: str) -> bytes:
    return disk.open(path).read_at(0, FILE_BYTES)


def starts_of(data: bytes, magic: bytes, first: int) -> Iterator[int]:
    at = data.find(magic, first)
    while at >= 0:
        yield at
        at = data.find(magic, at + 1)


class TestJournal:
    @pytest.fixture
    def before(self) -> Before:
        return written(flushed=False)

    def groups(self, data: bytes) -> list[tuple[int, int]]:
        """Where each begins and ends."""
        file_id = decode_file_header(data).file_id
        starts = list(starts_of(data, GROUP_MAGIC, FILE_HEADER_BYTES))
        return [(at, at + decode_group(data, at, file_id).size) for at in starts]

    def expected(self, data: bytes, offset: int) -> str:
        """What a flip of this byte is."""
        groups = self.groups(data)
        if offset < FILE_HEADER_BYTES:
            header = data[:FILE_HEADER_BYTES].rstrip(b"\0")
            return "detected" if offset < len(header) else "harmless"
        if offset >= groups[-1][1]:
            return "harmless"
        return "torn" if offset >= groups[-1][0] else "detected"

    def flip(self, before: Before, offset: int) -> str:
        """Start a bookie on the journal with this byte turned over; what came of it."""
        disk, entries = before[0].fork(), before[1]
        disk.flip(JOURNAL, offset, flipped_bit(offset))
        found = []

        async def main(machine: Machine) -> None:
            missing, said = await outcome(machine, entries)
            uncertain = machine.bookie.uncertain or bool(machine.bookie.uncertain_ledgers())
            if uncertain:
                assert said <= {Status.IO_ERROR}, said
                found.append("detected")
            else:
                found.append("torn" if missing else "harmless")

        on_machine(disk, main, [])
        return found[0]

    def check(self, before: Before, offsets: list[int]) -> Counter[str]:
        counts: Counter[str] = Counter()
        data = content(before[0], JOURNAL)
        for offset in offsets:
            found = self.flip(before, offset)
            assert found == self.expected(data, offset), offset
            counts[found] += 1
        return counts

    def test_the_file_is_nearly_full_of_groups(self, before: Before) -> None:
        data = content(before[0], JOURNAL)
        groups = self.groups(data)
        assert len(data) == FILE_BYTES
        assert len(groups) > 20
        assert groups[-1][1] > FILE_BYTES * 3 // 4
        assert all(end == start for (_, end), (start, _) in pairwise(groups))

    def test_no_flipped_group_is_taken_for_a_whole_one(self, before: Before) -> None:
        """Every byte of every group, by the reader of groups."""
        data = content(before[0], JOURNAL)
        file_id = decode_file_header(data).file_id
        flips = 0
        for start, end in self.groups(data):
            group = bytearray(data[start:end])
            for at in range(len(group)):
                group[at] ^= flipped_bit(at)
                with pytest.raises(JournalFormatError):
                    decode_group(bytes(group), 0, file_id)
                group[at] ^= flipped_bit(at)
                flips += 1
        assert flips > FILE_BYTES * 3 // 4 - FILE_HEADER_BYTES

    def test_flips_as_a_start_finds_them(
        self, before: Before, capsys: pytest.CaptureFixture[str]
    ) -> None:
        groups = self.groups(content(before[0], JOURNAL))
        first, last = groups[0], groups[-1]
        edges = {0, 35, 36, 4095, first[0], first[1] - 1, last[0], last[1] - 1, last[1]}
        header = range(first[0], first[0] + 44)
        offsets = sorted({*edges, *header, *range(0, FILE_BYTES, STRIDE)})
        counts = self.check(before, offsets)
        with capsys.disabled():
            print(f"\njournal, {len(offsets)} flips: {dict(counts)}")
        assert counts.keys() == {"detected", "harmless", "torn"}

    def test_no_shorter_file_is_read(self, before: Before) -> None:
        """Every length, by the reader of files."""
        disk = before[0].fork()
        files = JournalFiles(disk, "drive/journal0", 0)
        file = disk.open(JOURNAL)
        for length in reversed(range(FILE_BYTES)):
            file.truncate(length)
            with pytest.raises(JournalFormatError):
                files.open(1)

    @pytest.mark.parametrize("length", [0, 36, 4096, 5000, 40_000, FILE_BYTES - 1])
    def test_a_shorter_file_is_damage_to_a_start(self, before: Before, length: int) -> None:
        disk, entries = before[0].fork(), before[1]
        disk.open(JOURNAL).truncate(length)

        async def main(machine: Machine) -> None:
            missing, said = await outcome(machine, entries)
            assert missing
            assert said == {Status.IO_ERROR}

        on_machine(disk, main, [])

    @pytest.mark.nightly
    def test_all_flips(self, before: Before, capsys: pytest.CaptureFixture[str]) -> None:
        first = FIRST_FLIP % SEED_STEP
        counts = self.check(before, list(range(first, min(first + FLIPS, FILE_BYTES))))
        with capsys.disabled():
            print(f"\njournal, flips from {first} on: {dict(counts)}")


class TestEntryLog:
    @pytest.fixture
    def before(self) -> Before:
        return written(flushed=True)

    def bounds(self, data: bytes) -> list[int]:
        """Where blocks begin, and where the last one ends."""
        return [*starts_of(data, BLOCK_MAGIC, LOG_HEADER_BYTES), len(data)]

    def test_no_flipped_block_is_taken_for_a_whole_one(self, before: Before) -> None:
        """Every byte of every block, by the reader of blocks."""
        data = content(before[0], LOG)
        bounds = self.bounds(data)
        assert bounds[0] == LOG_HEADER_BYTES
        assert len(bounds) > 12
        assert len(data) > FILE_BYTES - 8_000
        for start, end in pairwise(bounds):
            Block(data[start:end])
            block = bytearray(data[start:end])
            for at in range(len(block)):
                block[at] ^= flipped_bit(at)
                with pytest.raises(EntryLogFormatError):
                    Block(bytes(block))
                block[at] ^= flipped_bit(at)

    def check(self, before: Before, wanted: range) -> int:
        """Flip these bytes of blocks, each by itself; returns how many there were."""
        disk, entries = before[0].fork(), before[1]
        data = content(disk, LOG)
        flips = 0

        async def main(machine: Machine) -> None:
            nonlocal flips
            for start, end in pairwise(self.bounds(data)):
                block = Block(data[start:end])
                for offset in range(start, end):
                    if offset not in wanted:
                        continue
                    disk.flip(LOG, offset, flipped_bit(offset))
                    answer = await machine.read(block.ledger_id, block.first_entry)
                    assert answer == (Status.IO_ERROR, []), offset
                    disk.flip(LOG, offset, flipped_bit(offset))
                    flips += 1
                disk.flip(LOG, start + 10)
                assert await outcome(machine, entries) == (block.count, {Status.IO_ERROR})
                disk.flip(LOG, start + 10)
            assert await outcome(machine, entries) == (0, set())

        on_machine(disk, main, [])
        return flips

    def test_flips_as_reads_find_them(
        self, before: Before, capsys: pytest.CaptureFixture[str]
    ) -> None:
        size = len(content(before[0], LOG))
        flips = self.check(before, range(0, size, STRIDE // 4))
        with capsys.disabled():
            print(f"\nentry log of {size} bytes, {flips} flips: all detected")

    @pytest.mark.nightly
    def test_all_flips(self, before: Before, capsys: pytest.CaptureFixture[str]) -> None:
        first = FIRST_FLIP % SEED_STEP
        flips = self.check(before, range(first, first + FLIPS))
        with capsys.disabled():
            print(f"\nentry log, {flips} flips from {first} on: all detected")

    @pytest.mark.parametrize("offset", range(LOG_HEADER_BYTES))
    def test_a_flip_in_the_header(self, before: Before, offset: int) -> None:
        disk, entries = before[0].fork(), before[1]
        disk.flip(LOG, offset, flipped_bit(offset))

        async def main(machine: Machine) -> None:
            missing, said = await outcome(machine, entries)
            assert missing == sum(map(len, entries.values()))
            assert said == {Status.IO_ERROR}

        on_machine(disk, main, [])

    def test_every_length(self, before: Before) -> None:
        """Shorter and shorter: the block at the end is never read as something else."""
        disk, entries = before[0].fork(), before[1]
        size = len(content(disk, LOG))
        last = {ledger_id: max(of_ledger) for ledger_id, of_ledger in entries.items()}

        async def main(machine: Machine) -> None:
            gone: set[int] = set()
            file = disk.open(LOG)
            for length in reversed(range(size)):
                file.truncate(length)
                if length % 16 and length > 64:
                    continue
                for ledger_id in last.keys() - gone:
                    status, found = await machine.read(ledger_id, last[ledger_id])
                    if status is not Status.OK:
                        assert status is Status.IO_ERROR, length
                        gone.add(ledger_id)
                    else:
                        assert found == [entries[ledger_id][last[ledger_id]]]
            assert gone == last.keys()
            missing, said = await outcome(machine, entries)
            assert missing == sum(map(len, entries.values()))
            assert said == {Status.IO_ERROR}

        on_machine(disk, main, [])
