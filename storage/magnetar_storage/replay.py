"""Replay: what the journal has behind the index's mark goes back into the write cache.

Torn is not corrupt. A group that is not whole ends its file if no whole group of that file follows
and the next group anywhere has the next sequence number: it was in flight when the process ended,
and nobody was told of it. Everything else that does not add up is damage: what can be read is
still replayed, but entries may be missing.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from struct import Struct
from typing import Any, Final, Generic, Protocol, TypeVar

from magnetar_runtime.disk import Worker
from magnetar_runtime.slices import Slices

from magnetar_storage.errors import DirectoryError, JournalFormatError
from magnetar_storage.journal_files import JournalFile, JournalFiles
from magnetar_storage.journal_format import (
    FILE_HEADER_BYTES,
    FIRST_MARK,
    Group,
    GroupFlag,
    JournalMark,
    KeyHead,
    RecordKind,
    decode_key_head,
    find_group,
    group_steps,
    size_of_group,
)
from magnetar_storage.ledger_records import LedgerRecords
from magnetar_storage.write_cache import WriteCache

_log = logging.getLogger(__name__)
_ENTRY_IDS = Struct(">QQ")
_LEDGER = Struct(">Q")
_STEP_RECORDS: Final = 256
_STEP_BYTES: Final = 1 << 20
_READ_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class ReplayEnd:
    """Where the journal goes on, and whether it was whole."""

    next_number: int
    next_sequence: int
    oldest_number: int
    damaged: bool
    entries: int


class _Window:
    """Reads a journal file in large steps."""

    def __init__(self, journal_file: JournalFile, worker: Worker, slices: Slices) -> None:
        self._file = journal_file.file
        self._slices = slices
        self._file_id = journal_file.header.file_id
        self._worker = worker
        self._data = b""
        self._base = 0

    async def group_at(self, offset: int) -> Group:
        """The group that begins there.

        Raises:
            JournalFormatError: there is none, or not a whole one.
        """
        if not self._base <= offset < self._base + len(self._data):
            await self._read(offset, _READ_BYTES)
        try:
            return await self._decode(offset - self._base)
        except JournalFormatError:
            # The window may end within the group: look again with all of it.
            await self._read(offset, _READ_BYTES)
            size = size_of_group(self._data, 0, self._file_id)
            if size > len(self._data):
                await self._read(offset, size)
            return await self._decode(0)

    async def _decode(self, at: int) -> Group:
        steps = group_steps(self._data, at, self._file_id)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                group: Group = end.value
                return group
            await self._slices.breathe()

    async def next_group(self, offset: int) -> int | None:
        """Where the first whole group at or behind this offset begins."""
        while True:
            await self._read(offset, _READ_BYTES)
            at = find_group(self._data, 0, self._file_id)
            if at >= 0:
                try:
                    await self.group_at(offset + at)
                except JournalFormatError:
                    offset += at + 1
                    continue
                return offset + at
            if len(self._data) < _READ_BYTES:
                return None
            offset += len(self._data) - FILE_HEADER_BYTES

    async def _read(self, offset: int, length: int) -> None:
        self._data = await self._worker.run(partial(self._file.read_at, offset, length))
        self._base = offset


class ReplayTarget(Protocol):
    """An engine, as replay fills it."""

    number: int
    marks: Mapping[int, JournalMark]
    records: LedgerRecords
    cache: WriteCache

    async def make_room(self) -> None:
        """Awaited after each group; flushes if the write cache is full."""

    def entries_lost(self, damages: int) -> None:
        """Told before any mark moves past damage: how often it was found until now."""


Target = TypeVar("Target", bound=ReplayTarget)


class Owners(dict[int, Target], Generic[Target]):
    """Which engine has a ledger: as its index says, else as the journal says."""

    def __init__(self, targets: Sequence[Target]) -> None:
        super().__init__()
        self.targets = targets
        self._by_number = {target.number: target for target in targets}
        for target in targets:
            for ledger_id in target.records:
                self._claim(ledger_id, target)

    def obtain(self, ledger_id: int, directory: int | None) -> Target:
        """The ledger's engine, which is this directory's if none has it yet.

        A ledger without a key in the journal (it was deleted, or its key was lost) may go anywhere.
        """
        target = self.get(ledger_id)
        if target is None:
            target = self._by_number.get(directory or 0, self.targets[0])
            self[ledger_id] = target
        return target

    def _claim(self, ledger_id: int, target: Target) -> None:
        if ledger_id in self:
            raise DirectoryError(
                f"ledger {ledger_id} is in ledger directories {self[ledger_id].number} and"
                f" {target.number}: one of them is a copy"
            )
        self[ledger_id] = target


class Replay:
    """Replay of one journal into all engines.

    Attributes:
        mark: moves forward as groups are taken over.
    """

    def __init__(
        self,
        files: JournalFiles,
        number: int,
        worker: Worker,
        owners: Owners[Any],
        slices: Slices,
        damages: int,
        *,
        checked: int,
    ) -> None:
        """Args:
        number: of the journal.
        damages: how often journals were found damaged until now.
        checked: of so many it is sure that they took nothing of a ledger whose beginning is met;
            with one journal, whose order is that of events, -1: those met before.
        """
        self._files = files
        self._number = number
        self._worker = worker
        self._owners = owners
        self._targets = owners.targets
        self._slices = slices
        self._damages = damages
        self._checked = checked
        self._marks = {target: target.marks[number] for target in self._targets}
        self.mark = min(self._marks.values())
        self._passed: set[ReplayTarget] = set()
        self._damaged = False
        self._entries = 0

    async def run(self) -> ReplayEnd:
        """Take over everything behind the lowest mark.

        Raises:
            OSError: the disk failed.
        """
        mark = self.mark
        numbers = await self._worker.run(self._files.numbers)
        wanted = [number for number in numbers if number >= mark.number]
        self._check_numbers(wanted, mark)
        for number in wanted:
            await self._replay_file(number, mark)
        reached = max(self._marks.values())
        self._check_end(reached)
        # Behind all marks: what is added now must not look like what an engine has already.
        next_number = max([reached.number, *numbers]) + 1
        return ReplayEnd(
            next_number,
            max(self.mark.sequence, reached.sequence),
            min(numbers, default=next_number),
            self._damaged,
            self._entries,
        )

    def _check_numbers(self, wanted: list[int], mark: JournalMark) -> None:
        if not wanted and mark == FIRST_MARK:
            return
        first = max(mark.number, 1)
        if wanted != list(range(first, first + max(1, len(wanted)))):
            self._damage(f"journal files are missing; there are {wanted} from {first} on")

    def _check_end(self, reached: JournalMark) -> None:
        """A group that some engine's mark has passed was durable: it is not torn, it is lost."""
        if self.mark.sequence < reached.sequence:
            self._damage(
                f"journal {self._number} ends before group {self.mark.sequence},"
                f" but was durable up to group {reached.sequence - 1}"
            )

    async def _replay_file(self, number: int, mark: JournalMark) -> None:
        try:
            journal_file = await self._worker.run(partial(self._files.open, number))
        except JournalFormatError as error:
            self._damage(str(error))
            return
        try:
            offset = mark.offset if number == mark.number else FILE_HEADER_BYTES
            await self._replay_groups(journal_file, offset)
        finally:
            await self._worker.run(journal_file.file.close)

    async def _replay_groups(self, journal_file: JournalFile, offset: int) -> None:
        window = _Window(journal_file, self._worker, self._slices)
        number, length = journal_file.header.number, journal_file.header.length
        while offset < length:
            try:
                group = await window.group_at(offset)
            except JournalFormatError as error:
                following = await window.next_group(offset + 1)
                if following is None:
                    return
                self._damage(f"journal file {number}, offset {offset}: {error}, others follow")
                offset = following
                continue
            if group.sequence != self.mark.sequence:
                self._damage(
                    f"journal file {number}: group {group.sequence} follows"
                    f" {self.mark.sequence - 1}"
                )
            # An engine skips what lies before its own mark.
            self._passed = {t for t, m in self._marks.items() if group.sequence < m.sequence}
            await self._take_over(group)
            offset += group.size
            self.mark = JournalMark(number, offset, group.sequence + 1)
            if group.flags & GroupFlag.CLEAN_END:
                return  # nothing was written behind it, so there is nothing to look for
            for target in self._targets:
                await target.make_room()

    async def _take_over(self, group: Group) -> None:
        heads, payloads = group.lengths[::2], group.lengths[1::2]
        start, count = group.start, len(group.kinds)
        records = max(1, min(_STEP_RECORDS, count * _STEP_BYTES // group.size))
        for first in range(0, count, records):
            step = slice(first, first + records)
            start = self._take_records(
                group.data, start, group.kinds[step], zip(heads[step], payloads[step], strict=True)
            )
            await self._slices.breathe()

    def _take_records(
        self, data: bytes, start: int, kinds: bytes, lengths: "zip[tuple[int, int]]"
    ) -> int:
        """Take some records over; returns where the next one begins."""
        get, passed = self._owners.get, self._passed
        for kind, (head_bytes, payload_bytes) in zip(kinds, lengths, strict=True):
            middle = start + head_bytes
            end = middle + payload_bytes
            if kind == RecordKind.ENTRY:
                ledger_id, entry_id = _ENTRY_IDS.unpack_from(data, start)
                target = get(ledger_id) or self._owners.obtain(ledger_id, None)
                if target not in passed:
                    record = target.records.get(ledger_id) or target.records.obtain(ledger_id)
                    target.cache.put(ledger_id, entry_id, data[start:middle], data[middle:end])
                    if entry_id > record.last_entry:
                        record.last_entry = entry_id
                    self._entries += 1
            else:
                self._take_control(kind, data[start:middle], data[middle:end])
            start = end
        return start

    def _take_control(self, kind: int, head: bytes, payload: bytes) -> None:
        if kind == RecordKind.LEDGER_KEY:
            self._take_key(decode_key_head(head), payload)
        elif kind == RecordKind.FENCE:
            (ledger_id,) = _LEDGER.unpack(head)
            target = self._owners.obtain(ledger_id, None)
            if target not in self._passed:
                record = target.records.obtain(ledger_id)
                target.records.fence(record)
                record.fence_durable = True
        else:
            self._damage(f"record kind {kind} is not known here")

    def _take_key(self, head: KeyHead, master_key: bytes) -> None:
        target = self._owners.obtain(head.ledger_id, head.directory)
        if target in self._passed:
            return
        records = target.records
        if head.began and head.ledger_id not in records:
            checked = self._damages if self._checked < 0 else self._checked
            records.check(records.obtain(head.ledger_id), checked)
        records.set_key(records.obtain(head.ledger_id), master_key)

    def _damage(self, what: str) -> None:
        if not self._damaged:
            self._damaged = True
            self._damages += 1
            for target in self._targets:
                target.entries_lost(self._damages)
        _log.error("%s; entries may be missing, so none will be called absent", what)
