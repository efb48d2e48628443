"""Entry logs and blocks as bytes; see docs/formats.md. Pure.

An entry log is a header and blocks one after another. A block holds entries of one ledger in the
order of their ids, whole, behind a table of ids and lengths, under one checksum.
"""

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from operator import add, sub
from struct import Struct
from typing import Final

from fastcrc.crc32 import iscsi as crc32c

from magnetar_storage.errors import EntryLogFormatError
from magnetar_storage.gather import gather

FORMAT: Final = 1
LOG_MAGIC: Final = b"MGTL"
BLOCK_MAGIC: Final = b"MGTB"
MAX_BLOCK_ENTRIES: Final = 339
BLOCK_BYTES: Final = 128 << 10
"""A block is closed by the entry that brings its entries to this length."""

_LOG = Struct("<4sHHQ")
_BLOCK = Struct("<4sHHqqII")
_CRC = Struct("<I")
LOG_HEADER_BYTES: Final = _LOG.size + _CRC.size
BLOCK_HEADER_BYTES: Final = _BLOCK.size + _CRC.size
_MAX_DELTA = (1 << 32) - 1


def encode_log_header(log_id: int) -> bytes:
    """What an entry log begins with."""
    fields = _LOG.pack(LOG_MAGIC, FORMAT, 0, log_id)
    return fields + _CRC.pack(crc32c(fields))


def decode_log_header(data: bytes) -> int:
    """Returns the log's id.

    Raises:
        EntryLogFormatError: not a whole header of a known format.
    """
    if len(data) < LOG_HEADER_BYTES:
        raise EntryLogFormatError("the entry log ends within its header")
    magic, log_format, _, log_id = _LOG.unpack_from(data)
    (crc,) = _CRC.unpack_from(data, _LOG.size)
    if magic != LOG_MAGIC or crc != crc32c(data[: _LOG.size]):
        raise EntryLogFormatError("the entry log's header is damaged")
    if log_format != FORMAT:
        raise EntryLogFormatError(f"entry log format {log_format} is not known here")
    return int(log_id)


def encode_block(
    ledger_id: int, ids: Sequence[int], lengths: Sequence[int], parts: Sequence[bytes]
) -> list[bytes]:
    """The byte strings to write one after another for a block.

    Args:
        ids: ascending.
        lengths: of the entries.
        parts: header and payload of each entry in turn.
    """
    first = ids[0]
    deltas = array("I", map(sub, ids, (first,) * len(ids)))
    tables = _little(deltas).tobytes() + _little(array("I", lengths)).tobytes()
    body = gather(parts, list(map(len, parts)))
    fields = _BLOCK.pack(BLOCK_MAGIC, FORMAT, 0, ledger_id, first, len(ids), sum(lengths))
    crc = crc32c(tables, crc32c(fields))
    for part in body:
        crc = crc32c(part, crc)
    return [b"".join((fields, _CRC.pack(crc), tables)), *body]


def block_bytes(header: bytes) -> int:
    """How long the block is that begins with this header, if one does; for looking at it."""
    if len(header) < BLOCK_HEADER_BYTES or header[:4] != BLOCK_MAGIC:
        return BLOCK_HEADER_BYTES
    *_, count, body_bytes = _BLOCK.unpack_from(header)
    return int(BLOCK_HEADER_BYTES + 8 * count + body_bytes)


def cut_blocks(ids: Sequence[int], lengths: Sequence[int]) -> list[int]:
    """Where to end blocks: counts of entries, each block's end; the last is all of them."""
    ends: list[int] = []
    totals = list(accumulate(lengths))
    start = 0
    while start < len(ids):
        before = totals[start - 1] if start else 0
        end = bisect_left(totals, before + BLOCK_BYTES, start) + 1
        end = min(end, start + MAX_BLOCK_ENTRIES, len(ids))
        if ids[end - 1] - ids[start] > _MAX_DELTA:
            end = bisect_right(ids, ids[start] + _MAX_DELTA, start, end)
        ends.append(end)
        start = end
    return ends


def entry_lengths(parts: Sequence[bytes]) -> list[int]:
    """Lengths of entries that are given as header and payload in turn."""
    sizes = list(map(len, parts))
    return list(map(add, sizes[::2], sizes[1::2]))


class Block:
    """A block read from a log and checked; entries are cut out when asked for."""

    __slots__ = ("_data", "_deltas", "_offsets", "count", "first_entry", "ledger_id")

    def __init__(self, data: bytes) -> None:
        """Check a block.

        Raises:
            EntryLogFormatError: it is not whole.
        """
        if len(data) < BLOCK_HEADER_BYTES:
            raise EntryLogFormatError("the entry log ends within a block's header")
        magic, block_format, _, ledger_id, first, count, body_bytes = _BLOCK.unpack_from(data)
        if magic != BLOCK_MAGIC or block_format != FORMAT:
            raise EntryLogFormatError("no block begins here")
        start = BLOCK_HEADER_BYTES + 8 * count
        if len(data) != start + body_bytes:
            raise EntryLogFormatError("a block's length is wrong")
        (crc,) = _CRC.unpack_from(data, _BLOCK.size)
        content = memoryview(data)[BLOCK_HEADER_BYTES:]
        if crc != crc32c(content, crc32c(data[: _BLOCK.size])):
            raise EntryLogFormatError("a block's checksum is wrong")
        self.ledger_id: int = ledger_id
        self.first_entry: int = first
        self.count: int = count
        self._data = data
        self._deltas = _numbers(content[: 4 * count])
        lengths = _numbers(content[4 * count : 8 * count])
        # An array, not a list: cached blocks then hold nothing that the collector walks.
        self._offsets = array("Q", accumulate(lengths, initial=start))

    @property
    def size(self) -> int:
        """Bytes of the block on disk."""
        return len(self._data)

    @property
    def last_entry(self) -> int:
        return self.first_entry + self._deltas[-1]

    def entry_ids(self) -> list[int]:
        """All ids, ascending."""
        return [self.first_entry + delta for delta in self._deltas]

    def take(self, entry_id: int, last_entry: int, max_entries: int, max_bytes: int) -> list[bytes]:
        """Entries with ids that follow on from `entry_id` to at most `last_entry`.

        At least one if it is there, also when it is larger than `max_bytes`; else none.
        """
        delta = entry_id - self.first_entry
        start = self._position(delta)
        if start < 0:
            return []
        most = min(max_entries, last_entry - entry_id + 1, self.count - start)
        if most <= 0:
            return []
        offsets = self._offsets
        end = start + self._run(start, most)
        fitting = bisect_right(offsets, offsets[start] + max_bytes, start, end + 1) - 1
        end = max(fitting, start + 1)
        data = self._data
        bounds = offsets[start : end + 1]
        return [data[begin:stop] for begin, stop in pairwise(bounds)]

    def _position(self, delta: int) -> int:
        if 0 <= delta < self.count and self._deltas[delta] == delta:
            return delta
        position = bisect_left(self._deltas, delta)
        found = position < self.count and self._deltas[position] == delta
        return position if found else -1

    def _run(self, start: int, most: int) -> int:
        """How many of the `most` entries from a position have ids that follow on."""
        deltas = self._deltas
        if deltas[start + most - 1] - deltas[start] == most - 1:
            return most
        run = 1
        while deltas[start + run] - deltas[start] == run:
            run += 1
        return run


def _numbers(data: memoryview) -> "array[int]":
    numbers = array("I")
    numbers.frombytes(data)
    return _little(numbers)


def _little(numbers: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        numbers = array("I", numbers)
        numbers.byteswap()
    return numbers
