"""The keys of `broker.conf` and `bookkeeper.conf` that say how ledgers are kept."""

from dataclasses import dataclass

from magnetar_runtime.conf import setting


@dataclass(frozen=True, kw_only=True)
class ManagedLedgerSettings:
    """Managed ledgers and cursors."""

    max_entries_per_ledger: int = setting(
        "managedLedgerMaxEntriesPerLedger", 50_000, "Roll over behind so many entries."
    )
    max_ledger_mb: int = setting(
        "managedLedgerMaxSizePerLedgerMbytes", 2048, "Roll over behind so many bytes."
    )
    min_ledger_rollover_minutes: int = setting(
        "managedLedgerMinLedgerRolloverTimeMinutes", 10, "No roll over by entries before this."
    )
    max_ledger_rollover_minutes: int = setting(
        "managedLedgerMaxLedgerRolloverTimeMinutes", 240, "Roll over after this."
    )
    cursor_max_entries_per_ledger: int = setting(
        "managedLedgerCursorMaxEntriesPerLedger", 50_000, "Roll a cursor's ledger over."
    )
    cursor_rollover_seconds: int = setting(
        "managedLedgerCursorRolloverTimeInSeconds", 14_400, "Roll a cursor's ledger over."
    )
    mark_delete_rate_per_second: float = setting(
        "managedLedgerDefaultMarkDeleteRateLimit", 1.0, "Writes of a cursor per second."
    )
    cursor_flush_seconds: int = setting(
        "managedLedgerCursorPositionFlushSeconds", 60, "Write changed cursors at least so often."
    )
    managed_ledger_cache_mb: int = setting(
        "managedLedgerCacheSizeMB", 64, "Entries kept for tailing consumers; 64 here."
    )
    retention_minutes: int = setting(
        "defaultRetentionTimeInMinutes", 0, "Keep acknowledged entries; -1 = for ever."
    )
    retention_mb: int = setting(
        "defaultRetentionSizeInMB", 0, "Keep acknowledged entries; -1 = all."
    )
    retention_check_interval_seconds: int = setting(
        "retentionCheckIntervalInSeconds", 120, "Trim ledgers so often."
    )


@dataclass(frozen=True, kw_only=True)
class BookieSettings:
    """The bookie: where it writes, what it keeps in memory, when a disk is full."""

    ledger_directories: str = setting(
        "ledgerDirectories", "", "Comma separated; empty: one in the data directory."
    )
    journal_directories: str = setting(
        "journalDirectories", "", "Comma separated; empty: one in the data directory."
    )
    journal_sync_data: bool = setting(
        "journalSyncData", True, "fdatasync before a receipt; off loses data at a power cut."
    )
    journal_max_mb: int = setting("journalMaxSizeMB", 256, "Length of a journal file; 256 here.")
    flush_interval_ms: int = setting(
        "flushInterval", 10_000, "Longest time between flushes of the write cache."
    )
    write_cache_mb: int = setting(
        "dbStorage_writeCacheMaxSizeMb", 64, "Write cache, both halves; 64 here."
    )
    read_ahead_cache_mb: int = setting(
        "dbStorage_readAheadCacheMaxSizeMb", 32, "Read-ahead cache; 32 here."
    )
    disk_full_share: float = setting(
        "diskUsageThreshold", 0.95, "Used share of a disk from which on no entries are taken."
    )
    disk_warn_share: float = setting(
        "diskUsageWarnThreshold", 0.90, "Used share of a disk that is worth a warning."
    )
    disk_low_water_share: float = setting(
        "diskUsageLwmThreshold",
        0.0,
        "Used share below which a full disk has room again; 0 means 98 % of the threshold here.",
    )
    disk_check_interval_ms: int = setting(
        "diskCheckInterval", 10_000, "Look at the disks so often; ten times that when nearly full."
    )
    disk_min_free_bytes: int = setting(
        "minUsableSizeForEntryLogCreation",
        0,
        "A disk with less room is full; 0 means the write cache and two journal files here.",
    )
    disk_recovery_free_bytes: int = setting(
        "minUsableSizeForHighPriorityWrites",
        0,
        "With less room recovery adds are refused too; 0 means minUsableSizeForEntryLogCreation.",
    )
    minor_compaction_share: float = setting(
        "minorCompactionThreshold", 0.2, "Entry logs of which less is alive are compacted often."
    )
    minor_compaction_interval_s: int = setting(
        "minorCompactionInterval", 3_600, "How often, in seconds; 0 is never."
    )
    major_compaction_share: float = setting(
        "majorCompactionThreshold", 0.8, "Entry logs of which less is alive are compacted at times."
    )
    major_compaction_interval_s: int = setting(
        "majorCompactionInterval", 86_400, "How often, in seconds; 0 is never."
    )
    compaction_bytes_per_s: int = setting(
        "compactionRateByBytes", 1_000_000, "Bytes that compaction copies in a second."
    )
    scrub_interval_s: int = setting(
        "scrubberInterval",
        604_800,
        "Read and check every record so often, in seconds; 0 is never. A key of Magnetar's.",
    )
    scrub_bytes_per_s: int = setting(
        "scrubberRateByBytes",
        10_000_000,
        "Bytes that scrubbing reads in a second, and fetches for repairs. A key of Magnetar's.",
    )
