"""Reads the groups of a journal file, in large steps."""

from functools import partial
from typing import Final

from magnetar_runtime.disk import Worker
from magnetar_runtime.slices import Slices

from magnetar_storage.errors import JournalFormatError
from magnetar_storage.journal_files import JournalFile
from magnetar_storage.journal_format import (
    FILE_HEADER_BYTES,
    Group,
    find_group,
    group_steps,
    size_of_group,
)

_READ_BYTES: Final = 4 << 20


class JournalWindow:
    """One file. The last step stays in memory: groups are small beside it."""

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
