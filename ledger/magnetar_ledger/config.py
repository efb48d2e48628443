"""Limits and deadlines of the ledger client."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LedgerClientConfig:
    """Defaults are those of Pulsar's configuration where there is one."""

    add_timeout_ms: int = 30_000  # a replica that owes an ack for longer has failed
    unwritable_bookie_timeout_ms: int = 2_000  # then a bookie that alone is behind has failed
    read_timeout_ms: int = 30_000  # of one call on one replica
    speculative_read_timeout_ms: int = 2_000  # then the next is asked too; BookKeeper's
    sticky_reads: bool = True  # a reader begins with one bookie, where all have all
    quarantine_errors: int = 5  # of a bookie within the interval, then it is avoided; 0 = never
    quarantine_interval_ms: int = 60_000
    quarantine_ms: int = 1_800_000
    explicit_lac_interval_ms: int = 0  # how often an idle writer tells its LAC; 0 = never
    max_pending_bytes: int = 64 * 1024 * 1024  # of one writer, before `writable` turns false
    striped_read_entries: int = 32  # reads under way at once where entries stand on many bookies
    recovery_batch_entries: int = 100  # one recovery read, where a bookie has all entries
    recovery_batch_bytes: int = 8 * 1024 * 1024
    recovery_pending_entries: int = 1_000  # re-adds not yet acknowledged
    ensemble_retry_pause_ms: int = 500  # between searches for a replacement; doubles each time
    max_ensemble_retry_pause_ms: int = 60_000
    ensemble_change_patience_ms: int = 2_000  # with the store, while the ack quorum is reachable
    metadata_attempts: int = 5  # of an update whose outcome stays unknown
    metadata_retry_pause_ms: int = 100  # between them
