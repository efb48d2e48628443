"""How large a backlog is, and where one of a given size begins: by the ledgers of a topic."""

from __future__ import annotations

from collections.abc import Sequence

from magnetar_ledger.position import Position

Ledgers = Sequence[tuple[int, int, int]]
"""Id, entries and bytes of each, oldest first. Entries of one ledger count as equally large."""


def backlog_bytes(ledgers: Ledgers, mark_delete: Position) -> int:
    """The bytes of the entries behind `mark_delete`."""
    total = 0
    for ledger_id, entries, size in ledgers:
        if ledger_id > mark_delete.ledger_id:
            total += size
        elif ledger_id == mark_delete.ledger_id and entries:
            left = max(entries - mark_delete.entry_id - 1, 0)
            total += size * left // entries
    return total


def position_leaving(ledgers: Ledgers, most_bytes: int) -> Position | None:
    """The first entry behind which lie at most so many bytes; None if that is true of all."""
    left = most_bytes
    for ledger_id, entries, size in reversed(ledgers):
        if size > left:
            kept = entries * left // size
            return Position(ledger_id, entries - kept - 1)
        left -= size
    return None
