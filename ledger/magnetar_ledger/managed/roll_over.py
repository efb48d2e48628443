"""When the current ledger is full: by entries, by bytes or by age, but not while it is young."""

from dataclasses import dataclass

from magnetar_ledger.managed.config import ManagedLedgerConfig


@dataclass(frozen=True, slots=True)
class LedgerFill:
    """How far the current ledger is."""

    entries: int
    size_bytes: int
    age_ms: int


def is_due(fill: LedgerFill, config: ManagedLedgerConfig) -> bool:
    """True if the next entry belongs into another ledger. An empty ledger is never full."""
    if fill.entries == 0 or fill.age_ms < config.min_ledger_age_ms:
        return False
    return (
        fill.entries >= config.max_entries_per_ledger
        or fill.size_bytes >= config.max_ledger_size_bytes
        or fill.age_ms >= config.max_ledger_age_ms
    )


def is_nearly_due(fill: LedgerFill, config: ManagedLedgerConfig) -> bool:
    """True if it is time to create the next ledger, so that the change of ledgers is quick."""
    percent = config.next_ledger_ahead_percent
    if fill.entries == 0 or fill.age_ms * 100 < config.min_ledger_age_ms * percent:
        return False
    return (
        fill.entries * 100 >= config.max_entries_per_ledger * percent
        or fill.size_bytes * 100 >= config.max_ledger_size_bytes * percent
        or fill.age_ms * 100 >= config.max_ledger_age_ms * percent
    )


def next_check_ms(age_ms: int, config: ManagedLedgerConfig) -> int | None:
    """In how many ms the answers above may change by time alone; None if never again."""
    percent = config.next_ledger_ahead_percent
    # Rounded up: an answer changes at the first whole ms that is not below its limit.
    moments = (
        -(-config.min_ledger_age_ms * percent // 100),
        config.min_ledger_age_ms,
        -(-config.max_ledger_age_ms * percent // 100),
        config.max_ledger_age_ms,
    )
    return min((moment - age_ms for moment in moments if moment > age_ms), default=None)
