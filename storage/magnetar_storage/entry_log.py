"""Entry logs in their directory: one being written, all being read.

What blocks runs on workers. Writing belongs to one worker; each reading worker keeps open files of
its own, so that no file is closed under a read.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from magnetar_runtime.disk import Disk, File, Worker

from magnetar_storage.entry_log_format import (
    LOG_HEADER_BYTES,
    Block,
    decode_log_header,
    encode_log_header,
)
from magnetar_storage.errors import EntryLogFormatError
from magnetar_storage.numbered_files import file_name, numbers_of

ENTRY_LOG_SUFFIX: Final = ".log"
_OPEN_FILES: Final = 64
_STRIPE_BYTES: Final = 1 << 20

BlockLoaded = Callable[[bytes | None, BaseException | None], None]


class EntryLogFiles:
    """Names of the logs in a directory."""

    def __init__(self, disk: Disk, directory: str) -> None:
        self.disk = disk
        self.directory = directory

    def log_ids(self) -> list[int]:
        """Ids of the logs that are there, ascending. Blocks."""
        return numbers_of(self.disk.names(self.directory), ENTRY_LOG_SUFFIX)

    def path(self, log_id: int) -> str:
        return f"{self.directory}/{file_name(log_id, ENTRY_LOG_SUFFIX)}"

    def size(self, log_id: int) -> int:
        """Length of a log. Blocks."""
        file = self.disk.open(self.path(log_id))
        try:
            return file.size()
        finally:
            file.close()

    def delete(self, log_ids: Sequence[int]) -> None:
        """Remove logs. Blocks."""
        for log_id in log_ids:
            self.disk.unlink(self.path(log_id))
        self.disk.sync_directory(self.directory)


@dataclass(slots=True)
class Piece:
    """Blocks that are written at once: they follow on in one log."""

    log_id: int
    offset: int
    parts: list[bytes] = field(default_factory=list)


class EntryLogWriter:
    """Gives out places in the newest log and writes to it."""

    def __init__(self, files: EntryLogFiles, log_bytes: int) -> None:
        self._files = files
        self._log_bytes = log_bytes
        self._log_id = 0
        self._offset = LOG_HEADER_BYTES
        self._file: File | None = None
        self._file_log_id = -1

    def begin(self, log_id: int) -> None:
        """Begin with this log, before anything is placed; no log with this id is there."""
        self._log_id = log_id

    @property
    def log_id(self) -> int:
        """Of the log that takes the next block, if it has room."""
        return self._log_id

    def place(self, length: int) -> tuple[int, int]:
        """Log and offset for a block of this length; what is placed must be written in order."""
        if self._offset + length > self._log_bytes and self._offset > LOG_HEADER_BYTES:
            self._log_id += 1
            self._offset = LOG_HEADER_BYTES
        offset = self._offset
        self._offset += length
        return self._log_id, offset

    def write(self, piece: Piece) -> None:
        """Make a piece durable. Blocks."""
        if piece.log_id != self._file_log_id:
            self.close()
            self._file = self._create(piece.log_id)
            self._file_log_id = piece.log_id
        assert self._file is not None
        self._file.write_at(piece.offset, piece.parts)
        self._file.sync()

    def close(self) -> None:
        """Blocks."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _create(self, log_id: int) -> File:
        file = self._files.disk.create(self._files.path(log_id))
        try:
            file.write_at(0, [encode_log_header(log_id)])
            file.sync()
            self._files.disk.sync_directory(self._files.directory)
        except OSError:
            file.close()
            raise
        return file


class _OpenLogs:
    """Open files of one reading worker, the longest unused closed first."""

    def __init__(self, files: EntryLogFiles) -> None:
        self._files = files
        self._open: OrderedDict[int, File] = OrderedDict()

    def read(self, log_id: int, offset: int, length: int) -> bytes:
        data = self._file(log_id).read_at(offset, length)
        if len(data) != length:
            raise EntryLogFormatError(f"entry log {log_id} is shorter than the index says")
        return data

    def close(self, log_ids: Sequence[int] | None = None) -> None:
        for log_id in list(self._open) if log_ids is None else log_ids:
            file = self._open.pop(log_id, None)
            if file is not None:
                file.close()

    def _file(self, log_id: int) -> File:
        file = self._open.get(log_id)
        if file is not None:
            self._open.move_to_end(log_id)
            return file
        if len(self._open) >= _OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        file = self._files.disk.open(self._files.path(log_id))
        try:
            if decode_log_header(file.read_at(0, LOG_HEADER_BYTES)) != log_id:
                raise EntryLogFormatError(f"{file.path} says it is another log")
        except BaseException:
            file.close()
            raise
        self._open[log_id] = file
        return file


class EntryLogReaders:
    """Reads blocks on several workers; neighbours in a log stay with one of them."""

    def __init__(self, files: EntryLogFiles, workers: Sequence[Worker]) -> None:
        self._readers = [(worker, _OpenLogs(files)) for worker in workers]

    def read(self, log_id: int, offset: int, length: int, done: BlockLoaded) -> None:
        """Read a block's bytes, unchecked, and tell them on the loop."""
        which = (log_id + offset // _STRIPE_BYTES) % len(self._readers)
        worker, logs = self._readers[which]
        worker.submit(partial(logs.read, log_id, offset, length), done)

    async def load(self, log_id: int, offset: int, length: int) -> bytes:
        """A block's bytes, unchecked. Raises EntryLogFormatError, OSError."""
        loaded: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.read(log_id, offset, length, partial(_tell, loaded))
        return await loaded

    async def forget(self, log_ids: Sequence[int]) -> None:
        """Close deleted logs."""
        for worker, logs in self._readers:
            await worker.run(partial(logs.close, log_ids))

    async def close(self) -> None:
        """Close all files, after the reads that were asked for."""
        for worker, logs in self._readers:
            await worker.run(logs.close)


def _tell(loaded: "asyncio.Future[bytes]", data: bytes | None, error: BaseException | None) -> None:
    if loaded.done():
        return
    if error is not None:
        loaded.set_exception(error)
    else:
        assert data is not None
        loaded.set_result(data)


class BlockCache:
    """Blocks that were read lately, bounded in bytes."""

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._blocks: OrderedDict[tuple[int, int], Block] = OrderedDict()
        self.size = 0

    def get(self, place: tuple[int, int]) -> Block | None:
        """The block at (log, offset); it counts as used now."""
        block = self._blocks.get(place)
        if block is not None:
            self._blocks.move_to_end(place)
        return block

    def __contains__(self, place: tuple[int, int]) -> bool:
        return place in self._blocks

    def put(self, place: tuple[int, int], block: Block) -> None:
        """Keep a block; the longest unused go."""
        assert place not in self._blocks
        self._blocks[place] = block
        self.size += block.size
        while self.size > self._capacity_bytes:
            _, oldest = self._blocks.popitem(last=False)
            self.size -= oldest.size
