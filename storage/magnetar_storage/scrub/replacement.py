"""Damaged blocks whose entries are elsewhere by now: no row is to point to them any more."""

from collections.abc import Callable, Collection, Iterable

from magnetar_storage.ledger_engine import LedgerEngine
from magnetar_storage.location_index import IndexBatch, Row
from magnetar_storage.scrub.id_runs import IdRun, intersect


async def drop_rows(
    engine: LedgerEngine, damaged: Collection[Row], expected: Callable[[int], Iterable[IdRun]]
) -> int:
    """Remove what is left of some rows of a ledger after their entries were added again.

    A flush cuts a row around the ids that were added. What remains of it says that the block has
    ids which the ledger's striping gives to other bookies, or which nobody ever wrote. A piece with
    an id that is expected here stays: it is why that entry is called unreadable and not absent.

    Args:
        expected: the runs of ids up to one that should be here.

    Returns:
        How many of the rows are gone altogether.

    Raises:
        OutOfUseError: the disk failed.
    """
    catalog, gone = engine.parts.catalog, 0
    with engine.writing():
        async with catalog.lock:
            removed: list[Row] = []
            for row in damaged:
                pieces = [each for each in _between(engine, row) if _place(each) == _place(row)]
                dead = [each for each in pieces if not _wanted(each, expected)]
                gone += len(dead) == len(pieces)
                removed += dead
            if removed:
                await catalog.commit(IndexBatch(), (), list(dict.fromkeys(removed)))
    return gone


def _between(engine: LedgerEngine, row: Row) -> list[Row]:
    return engine.parts.catalog.index.between(row.ledger_id, row.first_entry, row.last_entry)


def _place(row: Row) -> tuple[int, int]:
    return row.log_id, row.offset


def _wanted(row: Row, expected: Callable[[int], Iterable[IdRun]]) -> bool:
    piece = [(row.first_entry, row.last_entry)]
    return next(intersect(expected(row.last_entry), piece), None) is not None
