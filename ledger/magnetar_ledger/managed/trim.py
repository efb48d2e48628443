"""Which ledgers of a topic may go: those that every durable cursor and the retention passed."""

from collections.abc import Iterable, Sequence

from magnetar_metadata.managed_ledger_info import LedgerInfo

from magnetar_ledger.managed.config import Retention
from magnetar_ledger.position import Position

NO_LIMIT = -1


def slowest(mark_deletes: Iterable[Position]) -> Position | None:
    """The mark-delete position that holds back the most; None if there is no durable cursor."""
    return min(mark_deletes, default=None)


def removable(
    ledgers: Sequence[LedgerInfo],
    current_id: int,
    slowest_mark_delete: Position | None,
    retention: Retention,
    now_ms: int,
) -> list[int]:
    """The ids of the oldest ledgers that may be deleted, in order.

    Args:
        ledgers: all of the topic, oldest first.
        current_id: the ledger that is being written, which always stays.
        slowest_mark_delete: of the durable cursors; None without any, and then only retention
            holds data.
        now_ms: wall time, as in `LedgerInfo.timestamp_ms` (when the ledger was closed).
    """
    ids: list[int] = []
    size_left = sum(ledger.size for ledger in ledgers)
    for ledger in ledgers:
        size_left -= ledger.size
        if (
            ledger.ledger_id == current_id
            or not _is_consumed(ledger, slowest_mark_delete)
            or not _is_beyond(ledger, size_left, retention, now_ms)
        ):
            break
        ids.append(ledger.ledger_id)
    return ids


def _is_consumed(ledger: LedgerInfo, slowest_mark_delete: Position | None) -> bool:
    if slowest_mark_delete is None:
        return True
    return slowest_mark_delete >= (ledger.ledger_id, ledger.entries - 1)


def _is_beyond(ledger: LedgerInfo, size_left: int, retention: Retention, now_ms: int) -> bool:
    """True if retention lets the ledger go: it is too old, or enough stays without it."""
    if retention.time_ms != NO_LIMIT and now_ms - ledger.timestamp_ms >= retention.time_ms:
        return True
    return retention.size_bytes > 0 and size_left >= retention.size_bytes
