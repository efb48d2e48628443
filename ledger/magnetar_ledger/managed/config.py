"""What can be set for a managed ledger, and what it is built from."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from magnetar_metadata.managed_ledger_info import ManagedLedgerRegistry
    from magnetar_runtime.clock import Clock

    from magnetar_ledger.client import LedgerClient
    from magnetar_ledger.managed.entry_cache import EntryCacheManager

MEBIBYTE = 1024 * 1024
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Retention:
    """How long data stays that every durable cursor has passed. -1 stands for no limit."""

    time_ms: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ManagedLedgerConfig:
    """Limits of one managed ledger; the defaults are those of Pulsar's broker."""

    ensemble_size: int = 1
    write_quorum: int = 1
    ack_quorum: int = 1

    max_entries_per_ledger: int = 50_000
    max_ledger_size_bytes: int = 2048 * MEBIBYTE
    min_ledger_age_ms: int = 10 * MINUTE_MS
    max_ledger_age_ms: int = 240 * MINUTE_MS
    next_ledger_ahead_percent: int = 90
    """The next ledger is created when the current one is this full."""

    retention: Retention = field(default_factory=Retention)

    append_tries: int = 3
    """Ledgers in a row that may fail without confirming an entry before pending adds fail."""
    append_retry_interval_ms: int = 10_000
    """After adds have failed, further ones fail at once for this long."""
    roll_over_patience_ms: int = 1_000
    """A full ledger waits so long for metadata and the next ledger; then it takes entries on."""
    roll_over_retry_interval_ms: int = 1_000
    """How often a full ledger that goes on looks for metadata."""
    max_waiting_appends: int = 10_000
    max_waiting_append_bytes: int = 64 * MEBIBYTE
    """`writable` is false above these while a ledger is being replaced."""

    mark_delete_rate_limit_per_s: float = 1.0
    cursor_flush_interval_ms: int = 60_000
    """How long a cursor waits after a failed write of its state before it tries again."""
    cursor_max_entries_per_ledger: int = 50_000
    cursor_max_ledger_age_ms: int = 240 * MINUTE_MS
    cursor_max_ledger_bytes: int = 64 * MEBIBYTE
    """A cursor with very many holes writes large snapshots: its ledger rolls over before long."""
    cursor_max_entry_bytes: int = 1 * MEBIBYTE
    """A snapshot above this takes several entries: far below what a bookie accepts (5 MiB)."""
    max_ranges_in_metadata: int = 1_000
    """With more ranges than this a closed cursor keeps its ledger."""
    max_ranges_as_list: int = 1_000
    """With more ranges than this a cursor's record holds bit sets instead of ranges.

    Every Pulsar reads ranges, Pulsar 4 reads bit sets too. Encoding 1,000 ranges was measured at
    3 ms, 10,000 at 30 ms or more, and as bit sets at 0.1 and 0.3 ms: the loop stands that long.
    """
    max_ranges_in_fallback: int = 10_000
    """With more ranges than this the metadata node does not stand in for a failed cursor ledger."""


@dataclass(frozen=True, slots=True)
class LedgerPolicies:
    """What a topic's policies say of its managed ledger; None leaves what the configuration says.

    Attributes:
        quorums: Ensemble size, write quorum and ack quorum of ledgers that are made from now on.
        mark_delete_rate_limit_per_s: 0 is no limit.
    """

    retention: Retention | None = None
    quorums: tuple[int, int, int] | None = None
    mark_delete_rate_limit_per_s: float | None = None

    def applied_to(self, config: ManagedLedgerConfig) -> ManagedLedgerConfig:
        """The configuration of a topic that has these policies."""
        ensemble_size, write_quorum, ack_quorum = self.quorums or (
            config.ensemble_size,
            config.write_quorum,
            config.ack_quorum,
        )
        rate = self.mark_delete_rate_limit_per_s
        return replace(
            config,
            ensemble_size=ensemble_size,
            write_quorum=write_quorum,
            ack_quorum=ack_quorum,
            retention=config.retention if self.retention is None else self.retention,
            mark_delete_rate_limit_per_s=(
                config.mark_delete_rate_limit_per_s if rate is None else rate
            ),
        )


@dataclass(slots=True)
class ManagedLedgerDeps:
    """What a managed ledger works with. Each has a copy, of which `config` follows its policies."""

    client: "LedgerClient"
    registry: "ManagedLedgerRegistry"
    clock: "Clock"
    config: ManagedLedgerConfig
    cache: "EntryCacheManager"
