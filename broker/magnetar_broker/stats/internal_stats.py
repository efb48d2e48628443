"""What stands behind a topic: ledgers and cursors, in the JSON of Pulsar's admin API."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from magnetar_broker.volatile import VolatileLedger

if TYPE_CHECKING:
    from magnetar_ledger.managed import Cursor
    from magnetar_ledger.position import Position

    from magnetar_broker.topic import Topic

MOST_RANGES: Final = 1000
"""Ranges of one cursor that are listed; a subscription may have a million."""


def internal_stats(topic: Topic) -> dict[str, Any]:
    """The internal stats of one topic."""
    ledger = topic.ledger
    stats = {
        "entriesAddedCounter": topic.entries_in,
        "numberOfEntries": ledger.entries_total,
        "totalSize": ledger.size,
        "currentLedgerEntries": 0,
        "currentLedgerSize": 0,
        "waitingCursorsCount": 0,
        "pendingAddEntriesCount": topic.pending_entries,
        "cursors": {},
        "schemaLedgers": [],
        "compactedLedger": {**_ledger(-1, -1, -1), "offloaded": False, "underReplicated": False},
    }
    if isinstance(ledger, VolatileLedger):
        return stats
    open_id = ledger.open_ledger_id
    for ledger_id, entries, size in ledger.ledgers:
        if ledger_id == open_id:
            stats.update(currentLedgerEntries=entries, currentLedgerSize=size)
    return {
        **stats,
        "lastConfirmedEntry": _text(ledger.last_position),
        "state": "Terminated" if ledger.terminated else "LedgerOpened",
        "ledgers": [
            {**_ledger(*each), "offloaded": False, "underReplicated": False}
            for each in ledger.ledgers
        ],
        "cursors": {name: _of_cursor(cursor) for name, cursor in ledger.cursors.items()},
    }


def _ledger(ledger_id: int, entries: int, size: int) -> dict[str, Any]:
    return {"ledgerId": ledger_id, "entries": entries, "size": size}


def _of_cursor(cursor: Cursor) -> dict[str, Any]:
    ranges = ",".join(
        f"({_text(lower)}..{_text(upper)}]"
        for lower, upper in islice(cursor.acked_ranges(), MOST_RANGES)
    )
    return {
        "markDeletePosition": _text(cursor.mark_delete),
        "readPosition": _text(cursor.read_position),
        "waitingReadOp": False,
        "pendingReadOps": 0,
        "messagesConsumedCounter": 0,
        "individuallyDeletedMessages": f"[{ranges}]",
        "active": cursor.active,
        "numberOfEntriesSinceFirstNotAckedMessage": cursor.backlog_entries,
        "totalNonContiguousDeletedMessagesRange": cursor.range_count,
        "subscriptionHavePendingRead": False,
        "subscriptionHavePendingReplayRead": False,
        "properties": dict(cursor.long_properties),
    }


def _text(position: Position) -> str:
    return f"{position.ledger_id}:{position.entry_id}"
