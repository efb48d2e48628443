from magnetar_broker.dispatch.redelivery_counts import RedeliveryCounts


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
