from magnetar_ledger.managed.redelivery_counts import PIECE_ENTRIES, RedeliveryCounts
from magnetar_ledger.position import EARLIEST


def test_counts_per_entry_until_it_is_forgotten() -> None:
    counts = RedeliveryCounts()
    counts.increment(1, 5)
    counts.increment(1, 5)
    counts.increment(2, 5)
    assert (counts.of(1, 5), counts.of(2, 5), counts.of(1, 6), counts.of(9, 9)) == (2, 1, 0, 0)
    counts.forget(1, 5)
    counts.forget(1, 5)
    assert counts.of(1, 5) == 0
    assert len(counts) == 1


def test_clear_forgets_all() -> None:
    counts = RedeliveryCounts()
    counts.increment(1, 5)
    counts.clear()
    assert len(counts) == 0
    assert counts.of(1, 5) == 0


def test_pieces_bring_all_back_even_if_some_go_meanwhile() -> None:
    counts = RedeliveryCounts()
    for entry_id in range(PIECE_ENTRIES + 5):
        counts.increment(1, entry_id)
    counts.increment(2, 7)
    counts.increment(2, 7)
    copy = RedeliveryCounts()
    pieces = counts.pieces()
    copy.restore([next(pieces)])
    counts.forget(1, PIECE_ENTRIES)
    copy.restore(pieces)
    assert len(copy) == len(counts) == PIECE_ENTRIES + 5
    assert (copy.of(2, 7), copy.of(1, PIECE_ENTRIES), copy.of(1, 4)) == (2, 0, 1)


def test_older_ledgers_are_forgotten() -> None:
    counts = RedeliveryCounts()
    counts.increment(1, 5)
    counts.increment(3, 5)
    counts.forget_before(3)
    assert (counts.of(1, 5), counts.of(3, 5)) == (0, 1)


def test_the_last_one_is_known() -> None:
    counts = RedeliveryCounts()
    assert counts.last == EARLIEST
    counts.increment(3, 5)
    counts.increment(1, 9)
    counts.increment(3, 2)
    assert counts.last == (3, 5)
