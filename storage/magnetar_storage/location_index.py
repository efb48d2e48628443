"""Where blocks are: one row per run of ids of a ledger.

A row points to a block and says for which ids the block is to be asked: all of its own at first,
fewer after some of them were added again. Rows of a ledger never overlap, so the newest entry with
an id is found and none is hidden. An id within a row need not be in the block.

`LocationIndex` is a seam: what `commit` is given is on disk wholly or not at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Final, NamedTuple, Protocol

from magnetar_storage.journal_format import JournalMark
from magnetar_storage.ledger_records import LedgerRecord

_KEY = Struct(">QQ")
_VALUE = Struct(">QQQI")
ROW_VALUE_BYTES: Final = _VALUE.size


class Row(NamedTuple):
    """A run of ids and the block to ask for them."""

    ledger_id: int
    first_entry: int
    last_entry: int
    log_id: int
    offset: int
    length: int

    def encode(self) -> tuple[bytes, bytes]:
        """Key and value; keys sort as (ledger, first entry)."""
        value = _VALUE.pack(self.last_entry, self.log_id, self.offset, self.length)
        return _KEY.pack(self.ledger_id, self.first_entry), value


def row_key(ledger_id: int, entry_id: int) -> bytes:
    """The key of the row that would begin with this entry."""
    return _KEY.pack(ledger_id, entry_id)


def decode_row(key: bytes, value: bytes) -> Row:
    """The inverse of `Row.encode`."""
    return Row(*_KEY.unpack(key), *_VALUE.unpack(value))


class IndexIdentity(NamedTuple):
    """Whose index it is: the bookie, which of its ledger directories, and how many it has."""

    bookie_id: str
    directory: int
    directories: int


@dataclass(slots=True)
class IndexBatch:
    """What one commit changes. Rows are deleted before others are put."""

    row_deletes: list[bytes] = field(default_factory=list)
    row_puts: list[tuple[bytes, bytes]] = field(default_factory=list)
    record_deletes: list[int] = field(default_factory=list)
    record_puts: list[tuple[int, bytes]] = field(default_factory=list)
    marks: Mapping[int, JournalMark] = field(default_factory=dict)
    damages: int | None = None
    unknown_checked: int | None = None
    identity: "IndexIdentity | None" = None


class LocationIndex(Protocol):
    """Rows, ledger records and the journal marks, on disk together.

    Look-ups are made on the loop, `commit` and `close` by the one worker that owns the index.
    """

    @property
    def identity(self) -> IndexIdentity | None:
        """Whose index this is; None if it is new."""

    @property
    def marks(self) -> dict[int, JournalMark]:
        """Per journal: everything before it that concerns this index is in it."""

    @property
    def damages(self) -> int:
        """How often the journal was found damaged: entries may have been lost each time."""

    @property
    def unknown_checked(self) -> int:
        """Of so many damages it is known that no ledger was lost that is unknown here."""

    def records(self) -> list[LedgerRecord]:
        """All ledgers."""

    def scan(self, after: bytes, limit: int) -> list[Row]:
        """Up to `limit` rows behind this key, in order of their keys."""

    def floor(self, ledger_id: int, entry_id: int) -> Row | None:
        """The ledger's row that covers this entry, else the last one before it."""

    def between(self, ledger_id: int, first_entry: int, last_entry: int) -> list[Row]:
        """The ledger's rows that cover any of these ids, in order."""

    def following(self, row: Row, limit: int) -> list[Row]:
        """Up to `limit` of the ledger's rows behind this one."""

    def commit(self, batch: IndexBatch) -> None:
        """Make all of the batch durable, or nothing of it. Blocks."""

    def close(self) -> None:
        """Blocks."""


def runs(entry_ids: Sequence[int]) -> Iterable[tuple[int, int]]:
    """First and last of each run of ids that follow on; ids ascend."""
    if entry_ids[-1] - entry_ids[0] == len(entry_ids) - 1:
        yield entry_ids[0], entry_ids[-1]
        return
    first = previous = entry_ids[0]
    for entry_id in entry_ids[1:]:
        if entry_id != previous + 1:
            yield first, previous
            first = entry_id
        previous = entry_id
    yield first, previous


def overlay(older: Sequence[Row], newer: Row, entry_ids: Sequence[int]) -> list[Row]:
    """The rows that take the place of `older` when a block re-adds some of their ids.

    Older rows are cut around the runs of ids that the new block really has; what lies between
    stays theirs. No block is looked into, so a damaged one cannot stop a flush.

    Args:
        older: all rows that overlap `newer`, ascending.
        newer: the row that the block would have alone.
        entry_ids: of the new block, ascending.
    """
    claims: list[tuple[int, int]] = []
    rest: list[Row] = []
    new_runs = list(runs(entry_ids))
    for row in older:
        rest += _outside(row, new_runs)
    rest.sort()
    # Runs of the new block between which no older row is left can be one row again.
    for first, last in new_runs:
        if claims and not _any_between(rest, claims[-1][1], first):
            claims[-1] = (claims[-1][0], last)
        else:
            claims.append((first, last))
    mine = [newer._replace(first_entry=first, last_entry=last) for first, last in claims]
    return sorted(rest + mine)


def _outside(row: Row, taken: Sequence[tuple[int, int]]) -> list[Row]:
    """The pieces of a row that lie outside of these runs."""
    pieces: list[Row] = []
    first = row.first_entry
    for begin, end in taken:
        if end < first or begin > row.last_entry:
            continue
        if begin > first:
            pieces.append(row._replace(first_entry=first, last_entry=begin - 1))
        first = end + 1
    if first <= row.last_entry:
        pieces.append(row._replace(first_entry=first))
    return pieces


def _any_between(rows: Sequence[Row], low: int, high: int) -> bool:
    return any(row.last_entry > low and row.first_entry < high for row in rows)
