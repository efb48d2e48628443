"""The write cache: newest first, two halves, honest sizes."""

import gc

from magnetar_storage.write_cache import ENTRY_OVERHEAD_BYTES, LedgerEntries, WriteCache


def test_the_newest_entry_wins_over_both_halves() -> None:
    cache = WriteCache()
    cache.put(1, 5, b"h", b"old")
    cache.swap()
    assert cache.get(1, 5) == b"hold"
    cache.put(1, 5, b"h", b"new")
    assert cache.get(1, 5) == b"hnew"
    cache.drop_flushed()
    assert cache.get(1, 5) == b"hnew"
    assert cache.get(1, 6) is None
    assert cache.get(2, 5) is None


def test_ids_come_in_order_however_they_were_added() -> None:
    cache = WriteCache()
    for entry_id in (5, 6, 2, 9, 5):
        cache.put(1, entry_id, b"", b"")
    entries = cache.active.ledgers[1]
    assert entries.entry_ids() == [2, 5, 6, 9]
    assert (entries.lowest_entry, entries.last_entry) == (2, 9)
    assert not entries.ascending


def test_sizes() -> None:
    cache = WriteCache()
    assert cache.put(1, 0, b"abc", b"de") == 5 + ENTRY_OVERHEAD_BYTES
    cache.put(1, 0, b"abc", b"de")
    assert cache.active.size == 2 * (5 + ENTRY_OVERHEAD_BYTES)
    assert cache.swap().size
    assert cache.active.size == 0


def test_next_cached_is_a_bound_for_older_places() -> None:
    cache = WriteCache()
    assert cache.next_cached(1, 0) is None
    cache.put(1, 10, b"", b"")
    cache.put(1, 20, b"", b"")
    assert cache.next_cached(1, 0) == 10
    assert cache.next_cached(1, 15) == 15
    assert cache.next_cached(1, 21) is None
    cache.swap()
    cache.put(1, 5, b"", b"")
    assert cache.next_cached(1, 0) == 5
    assert cache.next_cached(1, 6) == 10


def test_forgotten_ledgers_are_gone() -> None:
    cache = WriteCache()
    cache.put(1, 0, b"", b"x")
    cache.forget(1)
    assert cache.get(1, 0) is None


def test_entries_are_nothing_to_the_collector() -> None:
    entries = LedgerEntries(0)
    for entry_id in range(10):
        entries.headers[entry_id] = b"h%d" % entry_id
        entries.payloads[entry_id] = b"p%d" % entry_id
    assert not gc.is_tracked(entries.headers)
    assert not gc.is_tracked(entries.payloads)
