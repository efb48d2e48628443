"""Intervals and bounds of the repair."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairConfig:
    """Defaults are BookKeeper's where it has the key."""

    lost_bookie_recovery_delay_s: int = 0  # of a cluster that has none written down yet
    min_absence_ms: int = 3_000  # sessions that end together do so within a tick or two
    bookie_check_interval_s: int = 86_400  # all metadata is looked at for bookies that are gone
    ledger_check_interval_s: int = 604_800  # all ledgers are looked at by reading; 0 = never
    verification_percent: int = 0  # of the entries of a replica; 0 = its first and its last
    check_rate_entries_per_s: int = 1_000  # of the auditor's reads; 0 = no bound
    mass_loss_delay_ms: int = 600_000  # if more bookies are gone than are there
    settle_ms: int = 10_000  # a new auditor lets sessions come back before it looks
    open_ledger_grace_ms: int = 30_000  # for a writer to replace its lost bookie by itself
    retry_pause_ms: int = 5_000  # after a failed repair; doubles each time
    max_retry_pause_ms: int = 300_000
    silent_attempts: int = 3  # then a bookie that is up and does not answer counts as lost
    copy_rate_bytes_per_s: int = 0  # of one worker; 0 = no bound
    copy_batch_entries: int = 100
    copy_batch_bytes: int = 8 * 1024 * 1024
    max_repairs: int = 4  # ledgers that one worker copies at a time
    max_waiting_repairs: int = 1_000  # ledgers whose lock it holds while their writers have time
    bookie_timeout_ms: int = 30_000  # of a read of or an add to one bookie
