"""Journal files and groups as bytes; see docs/formats.md. Pure.

A file has a fixed length that stands in its header. A group is what one sync made durable: header,
tables, then the records' bytes one after another. A record is a head and a payload, both given
back as they were: an entry's head is its header with digest.
"""

import sys
from array import array
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from struct import Struct
from typing import Final, NamedTuple

from fastcrc.crc32 import iscsi as crc32c

from magnetar_storage.errors import JournalFormatError
from magnetar_storage.gather import gather

FORMAT: Final = 1
"""Of files."""
GROUP_FORMAT: Final = 2
_FIRST_GROUP_FORMAT: Final = 1
FILE_MAGIC: Final = b"MGTJ"
GROUP_MAGIC: Final = b"MGTG"
FILE_HEADER_BYTES: Final = 4096
"""The header has a page of its own, so that writing groups never writes over it."""

_FILE = Struct("<4sHHQQQ")
_GROUP = Struct("<4sHHQQII")
_CRC = Struct("<I")
_ID = Struct("<Q")
_FILE_ID_OFFSET = 8
_KEY_HEAD = Struct(">QHH")
_BEGAN: Final = 1
GROUP_HEADER_BYTES: Final = _GROUP.size + _CRC.size
_MAX_BODY_BYTES = (1 << 32) - 1
_STEP_BYTES: Final = 256 << 10


class RecordKind(IntEnum):
    """What a record says."""

    ENTRY = 1
    LEDGER_KEY = 2
    FENCE = 3
    EXPLICIT_LAC = 4


class GroupFlag(IntFlag):
    """What a group says about itself."""

    NONE = 0
    CLEAN_END = 1
    """The journal was closed behind this group."""


class JournalMark(NamedTuple):
    """A place between two groups: everything before it is durable."""

    number: int
    offset: int
    sequence: int
    """Of the next group."""


FIRST_MARK: Final = JournalMark(0, 0, 1)
"""The mark of an index whose journal has no file yet; the first file is number 1."""


@dataclass(frozen=True, slots=True)
class FileHeader:
    """What a journal file says about itself. `file_id` is random, new at each use of the file."""

    number: int
    file_id: int
    length: int


@dataclass(frozen=True, slots=True)
class Group:
    """One group, checked.

    Attributes:
        lengths: of head and payload of each record in turn.
        data, start: the records' bytes begin there. They are not copied: a group may be large.
    """

    sequence: int
    flags: GroupFlag
    kinds: bytes
    lengths: Sequence[int]
    data: bytes
    start: int
    size: int

    @property
    def body(self) -> bytes:
        """All records' bytes, copied."""
        return self.data[self.start : self.start + sum(self.lengths)]


class KeyHead(NamedTuple):
    """What stands before a ledger's master key."""

    ledger_id: int
    directory: int
    """Which ledger directory has the ledger."""
    began: bool
    """Nothing of the ledger stands before this record."""

    def encode(self) -> bytes:
        return _KEY_HEAD.pack(self.ledger_id, self.directory, _BEGAN if self.began else 0)


def decode_key_head(head: bytes) -> KeyHead:
    """The inverse of `KeyHead.encode`; the first format had the ledger's id only."""
    if len(head) < _KEY_HEAD.size:
        return KeyHead(int.from_bytes(head), 0, began=False)
    ledger_id, directory, flags = _KEY_HEAD.unpack(head)
    return KeyHead(ledger_id, directory, bool(flags & _BEGAN))


def encode_file_header(header: FileHeader) -> bytes:
    """The first page of a file."""
    fields = _FILE.pack(FILE_MAGIC, FORMAT, 0, header.number, header.file_id, header.length)
    return (fields + _CRC.pack(crc32c(fields))).ljust(FILE_HEADER_BYTES, b"\0")


def decode_file_header(data: bytes) -> FileHeader:
    """Read the first page of a file.

    Raises:
        JournalFormatError: not a whole header of a known format.
    """
    if len(data) < FILE_HEADER_BYTES:
        raise JournalFormatError("the journal file ends within its header")
    magic, file_format, _, number, file_id, length = _FILE.unpack_from(data)
    (crc,) = _CRC.unpack_from(data, _FILE.size)
    if magic != FILE_MAGIC or crc != crc32c(data[: _FILE.size]):
        raise JournalFormatError("the journal file's header is damaged")
    if file_format != FORMAT:
        raise JournalFormatError(f"journal format {file_format} is not known here")
    return FileHeader(number, file_id, length)


def group_size(records: int, body_bytes: int) -> int:
    """How many bytes a group takes in its file."""
    return GROUP_HEADER_BYTES + 9 * records + body_bytes


def encode_group(
    file_id: int, sequence: int, kinds: bytes, parts: Sequence[bytes], flags: int = 0
) -> list[bytes]:
    """The byte strings to write one after another for a group.

    Args:
        file_id: of the file it is written to.
        sequence: one more than the group before had, also across files.
        kinds: a byte per record.
        parts: head and payload of each record in turn.
        flags: of `GroupFlag`.
    """
    assert len(parts) == 2 * len(kinds)
    lengths = array("I", map(len, parts))
    body = gather(parts, lengths)
    body_bytes = sum(map(len, body))
    assert body_bytes <= _MAX_BODY_BYTES
    count = len(kinds)
    fields = _GROUP.pack(GROUP_MAGIC, GROUP_FORMAT, flags, file_id, sequence, count, body_bytes)
    tables = kinds + _little(lengths).tobytes()
    crc = crc32c(tables, crc32c(fields))
    for part in body:
        crc = crc32c(part, crc)
    return [b"".join((fields, _CRC.pack(crc), tables)), *body]


def size_of_group(data: bytes, offset: int, file_id: int) -> int:
    """How long the group is that begins at this offset.

    Raises:
        JournalFormatError: no group of this file begins here.
    """
    if len(data) - offset < GROUP_HEADER_BYTES:
        raise JournalFormatError("the file ends within a group's header")
    magic, group_format, _, its_file, _, count, body_bytes = _GROUP.unpack_from(data, offset)
    if magic != GROUP_MAGIC or its_file != file_id:
        raise JournalFormatError("no group begins here")
    if group_format not in (GROUP_FORMAT, _FIRST_GROUP_FORMAT):
        raise JournalFormatError(f"group format {group_format} is not known here")
    return group_size(count, body_bytes)


def decode_group(data: bytes, offset: int, file_id: int) -> Group:
    """Read the whole group that begins at this offset.

    Raises:
        JournalFormatError: it is not whole.
    """
    steps = group_steps(data, offset, file_id)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            group: Group = end.value
            return group


def group_steps(data: bytes, offset: int, file_id: int) -> Generator[None, None, Group]:
    """`decode_group` in steps of less than a millisecond each; returns the group at the end.

    Raises:
        JournalFormatError: it is not whole.
    """
    size = size_of_group(data, offset, file_id)
    if len(data) - offset < size:
        raise JournalFormatError("the file ends within a group")
    _, _, flags, _, sequence, count, body_bytes = _GROUP.unpack_from(data, offset)
    (wanted,) = _CRC.unpack_from(data, offset + _GROUP.size)
    start, end = offset + GROUP_HEADER_BYTES, offset + size
    view = memoryview(data)
    crc = crc32c(view[offset : offset + _GROUP.size])
    for at in range(start, end, _STEP_BYTES):
        crc = crc32c(view[at : min(at + _STEP_BYTES, end)], crc)
        yield
    if crc != wanted:
        raise JournalFormatError("a group's checksum is wrong")
    body = start + 9 * count
    lengths = array("I")
    lengths.frombytes(view[start + count : body])
    lengths = _little(lengths)
    if sum(lengths) != body_bytes:
        raise JournalFormatError("a group's lengths do not add up")
    kinds = data[start : start + count]
    return Group(sequence, GroupFlag(flags), kinds, lengths, data, body, size)


def find_group(data: bytes, start: int, file_id: int) -> int:
    """Where the next thing that looks like a group of this file begins; -1 if nothing does."""
    wanted = _ID.pack(file_id)
    while (start := data.find(GROUP_MAGIC, start)) >= 0:
        if data.startswith(wanted, start + _FILE_ID_OFFSET):
            return start
        start += 1
    return -1


def _little(numbers: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        numbers = array("I", numbers)
        numbers.byteswap()
    return numbers
