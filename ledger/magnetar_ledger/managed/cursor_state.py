"""What a cursor knows, as a pure value, and its form in metadata.

`cursor_records` has its form in a cursor ledger.
"""

from typing import Final

from magnetar_metadata.managed_ledger_info import CursorInfo

from magnetar_ledger.managed.ack_ranges import AckRanges
from magnetar_ledger.managed.ledger_list import LedgerOrder
from magnetar_ledger.managed.redelivery_counts import RedeliveryCounts
from magnetar_ledger.position import Position

_MOST_INLINE_BATCH_BYTES: Final = 256 << 10
"""A node of ZooKeeper has 1 MiB, and a word of a bit set takes up to ten bytes in it."""


class CursorState:
    """Ack ranges, redelivery counts and properties.

    Attributes:
        revision: Grows with every change that is worth keeping.
        resets: Grows when the state goes back: what was said of it before is no longer true.
    """

    __slots__ = (
        "cursor_properties",
        "properties",
        "ranges",
        "redeliveries",
        "resets",
        "revision",
    )

    def __init__(self, order: LedgerOrder, mark_delete: Position) -> None:
        self.ranges = AckRanges(order, mark_delete)
        self.redeliveries = RedeliveryCounts()
        self.properties: dict[str, int] = {}
        self.cursor_properties: dict[str, str] = {}
        self.revision = 0
        self.resets = 0

    def reset(self, mark_delete: Position) -> None:
        """Begin behind `mark_delete` with nothing acknowledged after it."""
        self.ranges.clear(mark_delete)
        self.redeliveries.clear()
        self.resets += 1
        self.revision += 1

    def needs_ledger(self, max_ranges: int) -> bool:
        """True if the state is too large for a metadata node."""
        if self.ranges.batch_bytes > _MOST_INLINE_BATCH_BYTES:
            return True
        room = max_ranges - self.ranges.batch_count - len(self.redeliveries)
        return room < 0 or self.ranges.has_more_ranges_than(room)

    def to_info(self, cursor_ledger_id: int, *, inline: bool) -> CursorInfo:
        """The node's value: the whole state, or what to fall back to without the ledger."""
        return CursorInfo(
            cursor_ledger_id=cursor_ledger_id,
            mark_delete=self.ranges.mark_delete,
            individual_deleted=tuple(self.ranges.ranges()) if inline else (),
            batch_deletes=tuple(self.ranges.batches()) if inline else (),
            properties=dict(self.properties),
            cursor_properties=dict(self.cursor_properties),
            redeliveries=tuple(self.redeliveries.pieces()) if inline else (),
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
            self.redeliveries.restore(info.redeliveries)
