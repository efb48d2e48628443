"""The keys of `bookkeeper.conf` for the repair of ledgers that lack replicas."""

from dataclasses import dataclass
from typing import Final

from magnetar_runtime.conf import setting

REPAIR_RANGES: Final[dict[str, tuple[int, int | None]]] = {
    "auditorPeriodicBookieCheckInterval": (1, None),
    "auditorLedgerVerificationPercentage": (0, 100),
    "rwRereplicateBackoffMs": (1, None),
    "lockReleaseOfFailedLedgerGracePeriod": (1, None),
    "replicationRateByBytes": (-1, None),
    "rereplicationEntryBatchSize": (1, 10_000),
}
"""What numbers may be, least and most; others may be anything from 0."""


@dataclass(frozen=True, kw_only=True)
class RepairSettings:
    """Settings of auto-recovery, in a bookie's process or in one of its own."""

    auto_recovery_daemon_enabled: bool = setting(
        "autoRecoveryDaemonEnabled",
        False,
        "Run auto-recovery in the bookie's process; true in the files that Apache ships.",
    )
    lost_bookie_recovery_delay_s: int = setting(
        "lostBookieRecoveryDelay",
        0,
        "Seconds after which a bookie is lost; the cluster keeps its first.",
    )
    bookie_check_interval_s: int = setting(
        "auditorPeriodicBookieCheckInterval",
        86_400,
        "Seconds between looks through all metadata for bookies that are gone.",
    )
    ledger_check_interval_s: int = setting(
        "auditorPeriodicCheckInterval",
        604_800,
        "Seconds between checks of all ledgers by reading; 0: never.",
    )
    ledger_verification_percent: int = setting(
        "auditorLedgerVerificationPercentage",
        0,
        "How many entries of a replica a check reads; 0: the first and the last.",
    )
    check_rate_entries_per_s: int = setting(
        "auditorCheckRateByEntries", 1_000, "Entries that checks read in a second; here."
    )
    open_ledger_grace_ms: int = setting(
        "openLedgerRereplicationGracePeriod",
        30_000,
        "Time for a writer to replace its lost bookie before it is fenced.",
    )
    failed_ledger_pause_ms: int = setting(
        "lockReleaseOfFailedLedgerGracePeriod",
        300_000,
        "Longest pause after a failed repair of a ledger.",
    )
    repair_pause_ms: int = setting(
        "rwRereplicateBackoffMs", 5_000, "First pause after a failed repair of a ledger."
    )
    replication_rate_bytes_per_s: int = setting(
        "replicationRateByBytes", -1, "Bytes that repairs copy in a second; -1: no bound."
    )
    replication_batch_entries: int = setting(
        "rereplicationEntryBatchSize", 100, "Entries copied at a time; Pulsar's."
    )
