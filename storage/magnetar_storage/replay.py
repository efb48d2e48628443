"""Replay: what the journal has behind the index's mark goes back into the write cache.

Torn is not corrupt. A group that is not whole ends its file if no whole group of that file follows
and the next group anywhere has the next sequence number: it was in flight when the process ended,
and nobody was told of it. Everything else that does not add up is damage: what can be read is
still replayed, but entries may be missing.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from struct import Struct
from typing import Final

from magnetar_runtime.disk import Worker
from magnetar_runtime.slices import Slices

from magnetar_storage.errors import JournalFormatError
from magnetar_storage.journal_files import JournalFile, JournalFiles
from magnetar_storage.journal_format import (
    FILE_HEADER_BYTES,
    Group,
    GroupFlag,
    JournalMark,
    RecordKind,
    decode_group,
    find_group,
    size_of_group,
)
from magnetar_storage.ledger_records import LedgerRecords
from magnetar_storage.write_cache import WriteCache

_log = logging.getLogger(__name__)
_ENTRY_IDS = Struct(">QQ")
_LEDGER = Struct(">Q")
_STEP_RECORDS: Final = 256
_READ_BYTES: Final = 4 << 20
FIRST_MARK: Final = JournalMark(0, 0, 1)
"""The mark of an index whose journal has no file yet; the first file is number 1."""


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

    def __init__(self, journal_file: JournalFile, worker: Worker) -> None:
        self._file = journal_file.file
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
            return decode_group(self._data, offset - self._base, self._file_id)
        except JournalFormatError:
            # The window may end within the group: look again with all of it.
            await self._read(offset, _READ_BYTES)
            size = size_of_group(self._data, 0, self._file_id)
            if size > len(self._data):
                await self._read(offset, size)
            return decode_group(self._data, 0, self._file_id)

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


class Replay:
    """One replay. `mark` moves forward as groups are taken over."""

    def __init__(
        self,
        files: JournalFiles,
        worker: Worker,
        records: LedgerRecords,
        cache: WriteCache,
        slices: Slices,
        make_room: Callable[[], Awaitable[None]],
        on_damage: Callable[[], None],
    ) -> None:
        """Args:
        make_room: awaited after each group; flushes if the cache is full.
        on_damage: told before the mark moves past damage.
        """
        self._files = files
        self._worker = worker
        self._records = records
        self._cache = cache
        self._slices = slices
        self._make_room = make_room
        self._on_damage = on_damage
        self.mark = FIRST_MARK
        self._damaged = False
        self._entries = 0

    async def run(self, mark: JournalMark) -> ReplayEnd:
        """Take over everything behind the mark.

        Raises:
            OSError: the disk failed.
        """
        self.mark = mark
        numbers = await self._worker.run(self._files.numbers)
        wanted = [number for number in numbers if number >= mark.number]
        self._check_numbers(wanted, mark)
        for number in wanted:
            await self._replay_file(number, mark)
        next_number = max([0, mark.number - 1, *numbers]) + 1
        return ReplayEnd(
            next_number,
            self.mark.sequence,
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
        window = _Window(journal_file, self._worker)
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
            await self._take_over(group)
            offset += group.size
            self.mark = JournalMark(number, offset, group.sequence + 1)
            if group.flags & GroupFlag.CLEAN_END:
                return  # nothing was written behind it, so there is nothing to look for
            await self._make_room()

    async def _take_over(self, group: Group) -> None:
        heads, payloads = group.lengths[::2], group.lengths[1::2]
        start = 0
        for first in range(0, len(group.kinds), _STEP_RECORDS):
            step = slice(first, first + _STEP_RECORDS)
            start = self._take_records(
                group.body, start, group.kinds[step], zip(heads[step], payloads[step], strict=True)
            )
            await self._slices.breathe()

    def _take_records(
        self, body: bytes, start: int, kinds: bytes, lengths: "zip[tuple[int, int]]"
    ) -> int:
        """Take some records over; returns where the next one begins."""
        put, get = self._cache.put, self._records.get
        for kind, (head_bytes, payload_bytes) in zip(kinds, lengths, strict=True):
            middle = start + head_bytes
            end = middle + payload_bytes
            if kind == RecordKind.ENTRY:
                ledger_id, entry_id = _ENTRY_IDS.unpack_from(body, start)
                put(ledger_id, entry_id, body[start:middle], body[middle:end])
                record = get(ledger_id) or self._records.obtain(ledger_id)
                if entry_id > record.last_entry:
                    record.last_entry = entry_id
                self._entries += 1
            else:
                self._take_control(kind, body[start:middle], body[middle:end])
            start = end
        return start

    def _take_control(self, kind: int, head: bytes, payload: bytes) -> None:
        (ledger_id,) = _LEDGER.unpack(head)
        record = self._records.obtain(ledger_id)
        if kind == RecordKind.LEDGER_KEY:
            self._records.set_key(record, payload)
        elif kind == RecordKind.FENCE:
            self._records.fence(record)
            record.fence_durable = True
        else:
            self._damage(f"record kind {kind} is not known here")

    def _damage(self, what: str) -> None:
        self._damaged = True
        self._on_damage()
        _log.error("%s; entries may be missing, so none will be called absent", what)
