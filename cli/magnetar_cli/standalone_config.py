"""Settings of a standalone as the configurations of its parts."""

import os
from pathlib import Path

from magnetar_ledger.managed.config import ManagedLedgerConfig, Retention
from magnetar_runtime.settings import ServiceSettings
from magnetar_runtime.settings_storage import BookieSettings
from magnetar_storage.compaction_schedule import CompactionConfig
from magnetar_storage.config import BookieConfig
from magnetar_storage.disk_watch import DiskLimits
from magnetar_storage.errors import ConfigError

_MIB = 1 << 20
_MINUTE_MS = 60_000
_JOURNAL_SEAL_MS = 100
_LOW_WATER = 0.98
"""Of the threshold. BookKeeper's is the threshold itself: a disk at it comes and goes."""


def bookie_config(settings: BookieSettings, data_dir: Path) -> BookieConfig:
    """The bookie's part; its directories lie below the data directory unless they are named.

    Raises:
        ConfigError: a directory is named twice, or is the data directory itself.
    """
    ledgers = _directories("ledgerDirectories", settings.ledger_directories, data_dir, "ledgers")
    journals = _directories("journalDirectories", settings.journal_directories, data_dir, "journal")
    return BookieConfig(
        ledger_directories=ledgers,
        journal_directories=journals,
        journal_file_bytes=settings.journal_max_mb * _MIB,
        journal_seal_ms=_JOURNAL_SEAL_MS,
        write_cache_bytes=settings.write_cache_mb * _MIB,
        read_cache_bytes=settings.read_ahead_cache_mb * _MIB,
        flush_interval_ms=settings.flush_interval_ms,
    )


def disk_limits(settings: BookieSettings) -> DiskLimits:
    """When the bookie turns read-only.

    The room that it always leaves: for what was taken and not flushed yet, for the journal file
    that is made ready while one is written, and for that of the next start.
    """
    needed_mb = settings.write_cache_mb + 2 * settings.journal_max_mb
    full_share = settings.disk_full_share
    min_free_bytes = settings.disk_min_free_bytes or needed_mb * _MIB
    return DiskLimits(
        full_share=full_share,
        warn_share=min(settings.disk_warn_share, full_share),
        low_water_share=settings.disk_low_water_share or full_share * _LOW_WATER,
        min_free_bytes=min_free_bytes,
        recovery_free_bytes=settings.disk_recovery_free_bytes or min_free_bytes,
        check_interval_ms=settings.disk_check_interval_ms,
    )


def compaction_config(settings: BookieSettings) -> CompactionConfig:
    """When the bookie compacts its entry logs."""
    return CompactionConfig(
        minor_share=settings.minor_compaction_share,
        minor_interval_ms=settings.minor_compaction_interval_s * 1000,
        major_share=settings.major_compaction_share,
        major_interval_ms=settings.major_compaction_interval_s * 1000,
        rate_bytes_per_s=settings.compaction_bytes_per_s,
    )


def managed_ledger_config(settings: ServiceSettings) -> ManagedLedgerConfig:
    """The part of each topic: when ledgers roll over, what stays, how often cursors are written."""
    return ManagedLedgerConfig(
        max_entries_per_ledger=settings.max_entries_per_ledger,
        max_ledger_size_bytes=settings.max_ledger_mb * _MIB,
        min_ledger_age_ms=settings.min_ledger_rollover_minutes * _MINUTE_MS,
        max_ledger_age_ms=settings.max_ledger_rollover_minutes * _MINUTE_MS,
        retention=Retention(
            time_ms=_limit(settings.retention_minutes, _MINUTE_MS),
            size_bytes=_limit(settings.retention_mb, _MIB),
        ),
        mark_delete_rate_limit_per_s=settings.mark_delete_rate_per_second,
        cursor_flush_interval_ms=settings.cursor_flush_seconds * 1000,
        cursor_max_entries_per_ledger=settings.cursor_max_entries_per_ledger,
        cursor_max_ledger_age_ms=settings.cursor_rollover_seconds * 1000,
    )


def _directories(key: str, value: str, data_dir: Path, default: str) -> tuple[str, ...]:
    """Where the directories really are: one with two names would be one disk that counts twice."""
    named = [name for part in value.split(",") if (name := part.strip())]
    found: dict[str, str] = {}
    for name in named or [os.fspath(data_dir / default)]:
        path = os.path.realpath(name)
        if path in found:
            raise ConfigError(f"{key}: {found[path]} and {name} are one directory, {path}")
        if path == os.path.realpath(data_dir):
            raise ConfigError(f"{key}: {name} is the data directory; name one below it")
        found[path] = name
    return tuple(found)


def _limit(value: int, unit: int) -> int:
    return value * unit if value >= 0 else -1
