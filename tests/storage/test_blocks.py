"""Blocks are full, whatever the entries' sizes; rows are tested with the index."""

from magnetar_storage.blocks import blocks_of
from magnetar_storage.entry_log_format import BLOCK_BYTES, MAX_BLOCK_ENTRIES
from magnetar_storage.write_cache import WriteCache


def block_sizes(count: int, size: int) -> list[int]:
    cache = WriteCache()
    for entry_id in range(count):
        cache.put(1, entry_id, b"h" * 36, bytes(size - 36))
    entries = cache.active.ledgers[1]
    blocks = list(blocks_of(entries, iter(entries.headers)))
    ids = [entry_id for some, _, _ in blocks for entry_id in some]
    assert ids == list(range(count))
    for some, lengths, parts in blocks:
        assert lengths == [size] * len(some)
        assert list(map(len, parts)) == [36, size - 36] * len(some)
    return [len(some) for some, _, _ in blocks]


def test_blocks_are_full_but_for_the_last() -> None:
    assert block_sizes(700, 100) == [MAX_BLOCK_ENTRIES, MAX_BLOCK_ENTRIES, 22]
    assert block_sizes(300, 1024) == [BLOCK_BYTES // 1024] * 2 + [44]
    assert block_sizes(3, BLOCK_BYTES) == [1, 1, 1]
    assert block_sizes(1, 50) == [1]
    assert block_sizes(2 * MAX_BLOCK_ENTRIES, 100) == [MAX_BLOCK_ENTRIES] * 2
