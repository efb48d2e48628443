"""How calls on a bookie end, and the gathering of ends. Pure."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from magnetar_proto.bookie import AddSink, ReadSink, Status

from magnetar_ledger.lac_keeper import LacDone


class AddsEnded(NamedTuple):
    """Adds of one sink that ended alike, in the order in which they were made."""

    sink: AddSink
    entry_ids: list[int]
    status: Status


class ReadEnded(NamedTuple):
    """A read that ended."""

    sink: ReadSink
    context: int
    status: Status
    first_entry_id: int
    entries: Sequence[bytes]


class LacEnded(NamedTuple):
    """A call about an explicit LAC that ended."""

    done: LacDone
    status: Status
    body: bytes | None


Ended = AddsEnded | ReadEnded | LacEnded

_Piece = tuple[int, Sequence[int]]
"""The number of a call, and ids of its entries that ended."""


class AddRow:
    """Adds under way that were made at once."""

    __slots__ = ("_bytes", "_count", "entry_id", "number", "sink")

    def __init__(self, number: int, entry_id: int, sink: AddSink, count: int, size: int) -> None:
        """Args:
        number: of the call.
        entry_id: of the first; in version 2 the key has it.
        size: bytes of all of them.
        """
        self.number = number
        self.entry_id = entry_id
        self.sink = sink
        self._count = count
        self._bytes = size

    def end(self, count: int) -> int:
        """So many have ended; gives their bytes, near enough, and the right sum with the last."""
        assert count <= self._count
        size = self._bytes * count // self._count
        self._count -= count
        self._bytes -= size
        return size

    def following(self, rows: "Sequence[AddRow | None]", start: int) -> int:
        """How many places hold this row one after another."""
        most = min(self._count, len(rows) - start)
        if rows[start : start + most].count(self) == most:
            return most
        return next(i for i, row in enumerate(rows[start:]) if row is not self)


class Ends:
    """Gathers ends, so that a sink is told of many adds at once."""

    def __init__(self) -> None:
        self._adds: dict[tuple[int, Status], tuple[AddSink, list[_Piece]]] = {}
        self._others: list[Ended] = []
        # Of the last add: mostly those of the next one too.
        self._sink: AddSink | None = None
        self._status = Status.OK
        self._pieces: list[_Piece] = []

    def adds(self, row: AddRow, entry_ids: Sequence[int], status: Status) -> None:
        """Adds of one call ended alike."""
        sink = row.sink
        if sink is not self._sink or status is not self._status:
            self._sink, self._status = sink, status
            _, self._pieces = self._adds.setdefault((id(sink), status), (sink, []))
        self._pieces.append((row.number, entry_ids))

    def other(self, end: Ended) -> None:
        """Anything else ended."""
        self._others.append(end)

    def all(self) -> list[Ended]:
        """What has gathered, adds first."""
        ends: list[Ended] = [
            AddsEnded(sink, _in_order(pieces), status)
            for (_, status), (sink, pieces) in self._adds.items()
        ]
        return [*ends, *self._others]


def _in_order(pieces: list[_Piece]) -> list[int]:
    """Ids by the numbers of their calls, those of one call ascending: bookies may answer in any
    order."""
    if all(type(entry_ids) is range for _, entry_ids in pieces):
        pieces.sort(key=lambda piece: (piece[0], piece[1][0]))  # they do not overlap
        return [*chain.from_iterable(entry_ids for _, entry_ids in pieces)]
    rows = [(number, entry_id) for number, entry_ids in pieces for entry_id in entry_ids]
    rows.sort()
    return [entry_id for _, entry_id in rows]
