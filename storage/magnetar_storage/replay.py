"""Replay: what the journal has behind the index's mark goes back into the write cache.

Torn is not corrupt. A group that is not whole ends its file if no whole group of that file follows
and the next group anywhere has the next sequence number: it was in flight when the process ended,
and nobody was told of it. Everything else that does not add up is damage: what can be read is
still replayed, but entries may be missing.
"""

import logging
from dataclasses import dataclass
from functools import partial
from struct import Struct
from typing import Any, Final

from magnetar_runtime.disk import Worker
from magnetar_runtime.slices import Slices

from magnetar_storage.errors import JournalFormatError
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
)
from magnetar_storage.journal_window import JournalWindow
from magnetar_storage.owners import Owners, ReplayTarget

_log = logging.getLogger(__name__)
_ENTRY_IDS = Struct(">QQ")
_LEDGER = Struct(">Q")
_STEP_RECORDS: Final = 64
_STEP_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ReplayEnd:
    """Where the journal goes on, and whether it was whole."""

    next_number: int
    next_sequence: int
    oldest_number: int
    damaged: bool
    entries: int


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
            # What only the system's memory had is taken over like all else: from here on it must
            # outlast a power cut, as a force may promise.
            await self._worker.run(journal_file.file.sync)
            offset = mark.offset if number == mark.number else FILE_HEADER_BYTES
            await self._replay_groups(journal_file, offset)
        finally:
            await self._worker.run(journal_file.file.close)

    async def _replay_groups(self, journal_file: JournalFile, offset: int) -> None:
        window = JournalWindow(journal_file, self._worker, self._slices)
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
        elif kind == RecordKind.EXPLICIT_LAC:
            (ledger_id,) = _LEDGER.unpack(head)
            target = self._owners.obtain(ledger_id, None)
            if target not in self._passed:
                target.records.set_explicit_lac(target.records.obtain(ledger_id), payload)
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
