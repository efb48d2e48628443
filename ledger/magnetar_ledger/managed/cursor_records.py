"""A cursor's snapshot as entries of a cursor ledger, made and read in small steps.

Each entry is a `PositionInfo` that stands by itself: a mark-delete position and some of what is
acknowledged behind it. A snapshot that is too large for one entry takes several; its last one says
how many. Pulsar reads the last entry only, and so delivers again what the ones before it say. If
the last entry of a ledger is not the last one of its snapshot, the writer died between them, and
the snapshot before counts.

Acks go on while a snapshot is made. So the mark-delete position is taken at the very end: what was
acknowledged at the start is then in a piece, or behind no hole any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from magnetar_proto.ack_sets import bytes_of_words, words_of_bytes
from magnetar_proto.managed_ledger_pb2 import LongListMap, NestedPositionInfo, PositionInfo
from magnetar_proto.varints import varint

from magnetar_ledger.position import Position

if TYPE_CHECKING:
    from magnetar_ledger.managed.cursor_state import CursorState

_STEP_BYTES: Final = 32 * 1024
"""Of a bit set, per step."""
_ENTRY_BITS_BYTES: Final = 2 * 1024 * 1024
"""Of one ledger's bit set in one entry; encoded it grows by up to 3/8."""
_MAP_TAG: Final = bytes((6 << 3 | 2,))  # PositionInfo.individualDeletedMessageRanges
_STEP_ITEMS: Final = 200
"""Ranges or part-acknowledged entries per step: well under a millisecond."""


class MalformedCursorRecordError(Exception):
    """An entry of a cursor ledger is no cursor record. Never leaves this package."""


def parse(entry: bytes) -> PositionInfo:
    """An entry of a cursor ledger. Raises MalformedCursorRecordError."""
    try:
        return PositionInfo.FromString(entry)
    except DecodeError as error:
        raise MalformedCursorRecordError(str(error)) from error


class SnapshotEntries:
    """Collects the pieces of a snapshot into entries of at most so many bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._groups: list[list[bytes]] = [[]]
        self._size = 0

    def add(self, piece: bytes) -> None:
        """Behind those before, in the same entry if it has room; a step may give nothing."""
        if not piece:
            return
        if self._groups[-1] and self._size + len(piece) > self._max_bytes:
            self._groups.append([])
            self._size = 0
        self._groups[-1].append(piece)
        self._size += len(piece)

    def finish(self, state: CursorState) -> list[bytes]:
        """The entries, in the order in which they are to be written."""
        ledger_id, entry_id = state.ranges.mark_delete
        last = len(self._groups) - 1
        entries = []
        for number, group in enumerate(self._groups):
            head = PositionInfo(ledgerId=ledger_id, entryId=entry_id)
            if number < last:
                head.part = number + 1
            elif last:
                head.partsBefore = last
            for name, value in state.properties.items():
                head.properties.add(name=name, value=value)
            entries.append(b"".join((head.SerializeToString(), *group)))
        return entries


def pieces(state: CursorState, max_ranges_as_list: int) -> Iterator[bytes]:
    """All but mark-delete and properties, encoded in steps of less than a millisecond.

    Ranges go as a list, which every Pulsar reads, or, when there are too many of them, as a bit set
    per ledger, which Pulsar 4 reads. The pieces of one message, joined, are the message.
    """
    if state.ranges.has_more_ranges_than(max_ranges_as_list):
        yield from _bitmaps(state)
    else:
        yield from _ranges(state)
    yield from _batches(state)
    for ledger_id, entry_ids, counts in state.redeliveries.pieces():
        piece = PositionInfo()
        piece.redeliveryCounts.add(ledgerId=ledger_id, entryIds=entry_ids, counts=counts)
        yield piece.SerializePartialToString()


def _bitmaps(state: CursorState) -> Iterator[bytes]:
    for key, data in state.ranges.bitmaps():
        for start in range(0, len(data), _ENTRY_BITS_BYTES):
            # A bit set begins at entry 0. Only one of tens of millions of entries takes several.
            parts = [LongListMap(key=key, values=(0,) * (start // 8)).SerializeToString()]
            end = min(start + _ENTRY_BITS_BYTES, len(data))
            for at in range(start, end, _STEP_BYTES):
                words = words_of_bytes(data[at : min(at + _STEP_BYTES, end)])
                parts.append(LongListMap(values=words).SerializePartialToString())
                yield b""
            message = b"".join(parts)
            yield b"".join((_MAP_TAG, varint(len(message)), message))


def _ranges(state: CursorState) -> Iterator[bytes]:
    # Taken in one step: what closes up with mark-delete meanwhile is only said twice.
    ranges = iter(tuple(state.ranges.ranges()))
    while some := tuple(islice(ranges, _STEP_ITEMS)):
        piece = PositionInfo()
        for lower, upper in some:
            added = piece.individualDeletedMessages.add()
            nested = added.lowerEndpoint
            nested.ledgerId, nested.entryId = lower
            nested = added.upperEndpoint
            nested.ledgerId, nested.entryId = upper
        yield piece.SerializePartialToString()


def _batches(state: CursorState) -> Iterator[bytes]:
    batches = state.ranges.batches()
    while some := tuple(islice(batches, _STEP_ITEMS)):
        piece = PositionInfo()
        for (ledger_id, entry_id), words in some:
            nested = NestedPositionInfo(ledgerId=ledger_id, entryId=entry_id)
            piece.batchedEntryDeletionIndexInfo.add(position=nested, deleteSet=words)
        yield piece.SerializePartialToString()


def take(state: CursorState, records: Sequence[PositionInfo]) -> Iterator[None]:
    """Take a snapshot over, the entries in their order; a step between two `next`."""
    last, ranges = records[-1], state.ranges
    ranges.clear(Position(last.ledgerId, last.entryId))
    state.properties = {each.name: each.value for each in last.properties}
    state.redeliveries.clear()
    for record in records:
        for number, each in enumerate(record.individualDeletedMessages, start=1):
            ranges.put_range(_position(each.lowerEndpoint), _position(each.upperEndpoint))
            if number % _STEP_ITEMS == 0:
                yield
        for words in record.individualDeletedMessageRanges:
            for at in range(0, len(words.values), _STEP_BYTES // 8):
                part = bytes_of_words(words.values[at : at + _STEP_BYTES // 8])
                ranges.put_bitmap(words.key, part, at * 64)
                yield
    ranges.put_done()
    for record in records:
        for number, info in enumerate(record.batchedEntryDeletionIndexInfo, start=1):
            ranges.ack_batch(_position(info.position), info.deleteSet)
            if number % _STEP_ITEMS == 0:
                yield
        for counts in record.redeliveryCounts:
            state.redeliveries.restore([(counts.ledgerId, counts.entryIds, counts.counts)])
            yield


def _position(nested: NestedPositionInfo) -> Position:
    return Position(nested.ledgerId, nested.entryId)
