"""What an engine counts: plain integers, read when metrics are asked for."""

from dataclasses import dataclass, field
from typing import Final

SYNC_BUCKETS: Final = 24
"""Bucket i counts journal syncs of less than 2**i microseconds (1,024 ns); the last all longer."""


@dataclass(slots=True, eq=False)
class BookieCounters:
    """All since the engine was opened. Times in nanoseconds."""

    adds: int = 0
    add_bytes: int = 0
    adds_refused: int = 0
    journal_syncs: int = 0
    journal_bytes: int = 0
    journal_sync_ns: int = 0
    journal_sync_ns_longest: int = 0
    journal_sync_buckets: list[int] = field(default_factory=lambda: [0] * SYNC_BUCKETS)
    replayed_entries: int = 0
    flushes: int = 0
    flush_ns_longest: int = 0
    entry_log_bytes: int = 0
    reads: int = 0
    reads_ok: int = 0
    reads_failed: int = 0
    entries_read: int = 0
    read_bytes: int = 0
    write_cache_hits: int = 0
    read_cache_hits: int = 0
    blocks_read: int = 0
    blocks_read_ahead: int = 0
    blocks_damaged: int = 0
    block_bytes_read: int = 0
    ledgers_deleted: int = 0
    entry_logs_deleted: int = 0
    compacted_bytes: int = 0
    scrub_passes: int = 0
    scrubbed_bytes: int = 0
    scrubbed_entries: int = 0
    scrub_entries_bad: int = 0
    scrub_entries_mended: int = 0

    def journal_synced(self, sync_ns: int, size: int) -> None:
        """One group became durable."""
        self.journal_syncs += 1
        self.journal_bytes += size
        self.journal_sync_ns += sync_ns
        self.journal_sync_ns_longest = max(self.journal_sync_ns_longest, sync_ns)
        bucket = min((sync_ns >> 10).bit_length(), SYNC_BUCKETS - 1)
        self.journal_sync_buckets[bucket] += 1
