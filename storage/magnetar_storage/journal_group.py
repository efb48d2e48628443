"""What becomes durable together: the records of one journal group, and who waits for it."""

import asyncio
from collections.abc import Callable
from typing import Final

from magnetar_proto.bookie import AddSink, Status

from magnetar_storage.journal_format import RecordKind

_ENTRY: Final = bytes([RecordKind.ENTRY])

Durable = Callable[[Status], None]


class JournalGroup:
    """Rows of one group; none per entry is kept beside the parts and ids themselves.

    Attributes:
        parts: head and payload of each record in turn.
        controls: places and kinds of the records that are no entries.
        rows: by the sink's identity: the sink and the ids of its entries.
        waiters: told beside the sinks.
        size: of the entries, as the write cache counts it.
    """

    __slots__ = ("controls", "parts", "rows", "size", "waiters")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.controls: list[tuple[int, RecordKind]] = []
        self.rows: dict[int, tuple[AddSink, list[int]]] = {}
        self.waiters: list[Durable] = []
        self.size = 0

    def kinds(self) -> bytes:
        """A byte per record."""
        count = len(self.parts) // 2
        if not self.controls:
            return _ENTRY * count
        kinds = bytearray(_ENTRY * count)
        for index, kind in self.controls:
            kinds[index] = kind
        return bytes(kinds)

    def complete(self, loop: asyncio.AbstractEventLoop, status: Status) -> None:
        """Tell all that wait for it how it ended."""
        _complete(loop, status, list(self.rows.values()), self.waiters)


def _complete(
    loop: asyncio.AbstractEventLoop,
    status: Status,
    rows: list[tuple[AddSink, list[int]]],
    waiters: list[Durable],
) -> None:
    rows.reverse()
    try:
        while rows:
            sink, entry_ids = rows.pop()
            sink.adds_completed(entry_ids, status)
        while waiters:
            waiters.pop()(status)
    finally:
        # A sink that raises is a bug for the loop's handler; the others are still owed.
        if rows or waiters:
            loop.call_soon(_complete, loop, status, rows[::-1], waiters)
