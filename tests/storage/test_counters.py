"""Counters of syncs."""

from magnetar_storage.counters import SYNC_BUCKETS, BookieCounters


def test_syncs_fall_into_buckets_of_powers_of_two() -> None:
    counters = BookieCounters()
    for sync_ns in (0, 1023, 1024, 3 * 1024, 1 << 60):
        counters.journal_synced(sync_ns, 10)
    assert counters.journal_sync_buckets[:4] == [2, 1, 1, 0]
    assert counters.journal_sync_buckets[SYNC_BUCKETS - 1] == 1
    assert counters.journal_syncs == 5
    assert counters.journal_bytes == 50
    assert counters.journal_sync_ns_longest == 1 << 60
