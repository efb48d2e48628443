"""What a cursor knows, as a pure value, and its forms in metadata and in a cursor ledger.

A record of a cursor ledger holds ranges as a list, which every Pulsar reads, or, when there are too
many of them, a bit set per ledger, which Pulsar 4 reads. Neither form leaves holes out.
"""

from collections.abc import Sequence

from google.protobuf.message import DecodeError
from magnetar_metadata.managed_ledger_info import CursorInfo
from magnetar_proto.managed_ledger_pb2 import NestedPositionInfo, PositionInfo

from magnetar_ledger.managed.ack_ranges import AckRanges
from magnetar_ledger.managed.ack_sets import bits_of_words, words_of_bytes
from magnetar_ledger.managed.ledger_list import LedgerOrder
from magnetar_ledger.position import Position


class MalformedCursorRecordError(Exception):
    """An entry of a cursor ledger is no cursor record. Never leaves this package."""


class CursorState:
    """Ack ranges and properties. `revision` grows with every change that is worth keeping."""

    __slots__ = ("cursor_properties", "properties", "ranges", "revision")

    def __init__(self, order: LedgerOrder, mark_delete: Position) -> None:
        self.ranges = AckRanges(order, mark_delete)
        self.properties: dict[str, int] = {}
        self.cursor_properties: dict[str, str] = {}
        self.revision = 0

    def reset(self, mark_delete: Position) -> None:
        """Begin behind `mark_delete` with nothing acknowledged after it."""
        self.ranges.clear(mark_delete)
        self.revision += 1

    def needs_ledger(self, max_ranges: int) -> bool:
        """True if the state is too large for a metadata node."""
        parts = self.ranges.range_count() + self.ranges.batch_count
        return parts > max_ranges

    def to_info(self, cursor_ledger_id: int, *, inline: bool) -> CursorInfo:
        """The node's value: the whole state, or what to fall back to without the ledger."""
        return CursorInfo(
            cursor_ledger_id=cursor_ledger_id,
            mark_delete=self.ranges.mark_delete,
            individual_deleted=tuple(self.ranges.ranges()) if inline else (),
            batch_deletes=tuple(self.ranges.batches()) if inline else (),
            properties=dict(self.properties),
            cursor_properties=dict(self.cursor_properties),
        )

    def take_info(self, info: CursorInfo, *, inline: bool) -> None:
        """Take over a node's value; without `inline` only mark-delete and properties."""
        if info.mark_delete is not None:
            self.ranges.clear(Position(*info.mark_delete))
        self.properties = dict(info.properties)
        self.cursor_properties = dict(info.cursor_properties)
        if inline:
            self.ranges.restore(
                ranges=[
                    (Position(*lower), Position(*upper)) for lower, upper in info.individual_deleted
                ],
                batches=[(Position(*key), words) for key, words in info.batch_deletes],
            )

    def to_record(self, max_ranges_as_list: int) -> bytes:
        """The entry for the cursor ledger."""
        ranges = self.ranges
        ledger_id, entry_id = ranges.mark_delete
        record = PositionInfo(ledgerId=ledger_id, entryId=entry_id)
        if ranges.range_count() <= max_ranges_as_list:
            for lower, upper in ranges.ranges():
                added = record.individualDeletedMessages.add()
                nested = added.lowerEndpoint
                nested.ledgerId, nested.entryId = lower
                nested = added.upperEndpoint
                nested.ledgerId, nested.entryId = upper
        else:
            for key, data in ranges.bitmaps():
                record.individualDeletedMessageRanges.add(key=key, values=words_of_bytes(data))
        for name, number in self.properties.items():
            record.properties.add(name=name, value=number)
        for position, words in ranges.batches():
            record.batchedEntryDeletionIndexInfo.add(position=_nested(position), deleteSet=words)
        return record.SerializeToString()

    def take_record(self, data: bytes) -> None:
        """Take over an entry of a cursor ledger. Raises MalformedCursorRecordError."""
        try:
            record = PositionInfo.FromString(data)
        except DecodeError as error:
            raise MalformedCursorRecordError(str(error)) from error
        self.ranges.clear(Position(record.ledgerId, record.entryId))
        self.properties = {each.name: each.value for each in record.properties}
        self.ranges.restore(
            ranges=[
                (_position(each.lowerEndpoint), _position(each.upperEndpoint))
                for each in record.individualDeletedMessages
            ],
            bitmaps=[
                (each.key, _bytes_of_words(each.values))
                for each in record.individualDeletedMessageRanges
            ],
            batches=[
                (_position(each.position), each.deleteSet)
                for each in record.batchedEntryDeletionIndexInfo
            ],
        )


def _nested(position: Position) -> NestedPositionInfo:
    return NestedPositionInfo(ledgerId=position.ledger_id, entryId=position.entry_id)


def _position(nested: NestedPositionInfo) -> Position:
    return Position(nested.ledgerId, nested.entryId)


def _bytes_of_words(words: Sequence[int]) -> bytes:
    return bits_of_words(words).to_bytes(len(words) * 8, "little")
