"""Journal files in their directory. All calls block and belong on a worker.

A file appears under its name only when its header is durable, so a file without a whole header is
damage, never a torn create. Files behind the mark are kept for new use: writing over blocks that
the file system has already given out needs no change of its own metadata at each sync.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from magnetar_runtime.disk import Disk, File

from magnetar_storage.errors import JournalFormatError
from magnetar_storage.journal_format import (
    FILE_HEADER_BYTES,
    FileHeader,
    decode_file_header,
    encode_file_header,
)
from magnetar_storage.numbered_files import file_name, numbers_of

JOURNAL_SUFFIX: Final = ".journal"
_SPARE_SUFFIX: Final = ".spare"
_PREPARING: Final = "preparing"


@dataclass(slots=True)
class JournalFile:
    """A file with its header, open."""

    header: FileHeader
    file: File


class JournalFiles:
    """The files of one journal directory; numbers ascend without gaps."""

    def __init__(self, disk: Disk, directory: str, spare_files: int) -> None:
        self._disk = disk
        self._directory = directory
        self._spare_files = spare_files

    def numbers(self) -> list[int]:
        """Numbers of the files that are there, ascending."""
        return numbers_of(self._disk.names(self._directory), JOURNAL_SUFFIX)

    def open(self, number: int) -> JournalFile:
        """Open a file and check its header and length.

        Raises:
            JournalFormatError: the header is damaged or another file's, or the file is shorter.
        """
        file = self._disk.open(self._path(number))
        try:
            header = decode_file_header(file.read_at(0, FILE_HEADER_BYTES))
            if header.number != number:
                raise JournalFormatError(f"{file.path} says it is number {header.number}")
            if file.size() < header.length:
                raise JournalFormatError(f"{file.path} is shorter than its header says")
        except BaseException:
            file.close()
            raise
        return JournalFile(header, file)

    def prepare(self, header: FileHeader) -> JournalFile:
        """Make a file that is ready for groups, out of a spare one if there is one."""
        path = f"{self._directory}/{_PREPARING}"
        self._discard(_PREPARING)
        spares = self._spares()
        if spares:
            self._disk.rename(self._spare_path(spares[0]), path)
            file = self._disk.open(path)
            if file.size() != header.length:
                file.truncate(header.length)
                file.allocate(header.length)
        else:
            file = self._disk.create(path)
            file.allocate(header.length)
        file.write_at(0, [encode_file_header(header)])
        file.sync()
        file.close()
        self._disk.rename(path, self._path(header.number))
        self._disk.sync_directory(self._directory)
        return JournalFile(header, self._disk.open(self._path(header.number)))

    def retire(self, numbers: Sequence[int]) -> None:
        """Take files away that nobody will replay again: some are kept for new use.

        Numbers without a file are passed over: these names are not synced, so after a power cut
        some of an earlier retirement may be gone and others back.
        """
        room = self._spare_files - len(self._spares())
        for number in sorted(set(numbers).intersection(self.numbers())):
            path = self._path(number)
            if room > 0:
                self._disk.rename(path, self._spare_path(number))
                room -= 1
            else:
                self._disk.unlink(path)

    def _spares(self) -> list[int]:
        return numbers_of(self._disk.names(self._directory), _SPARE_SUFFIX)

    def _discard(self, name: str) -> None:
        path = f"{self._directory}/{name}"
        if self._disk.exists(path):
            self._disk.unlink(path)

    def _path(self, number: int) -> str:
        return f"{self._directory}/{file_name(number, JOURNAL_SUFFIX)}"

    def _spare_path(self, number: int) -> str:
        return f"{self._directory}/{file_name(number, _SPARE_SUFFIX)}"
