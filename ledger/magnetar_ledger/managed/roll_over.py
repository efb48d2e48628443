"""When the current ledger is full: by entries, by bytes or by age, but not while it is young."""

import sys
from dataclasses import dataclass
from typing import Final

from magnetar_ledger.managed.config import ManagedLedgerConfig

_NEVER: Final = sys.maxsize


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


class Thresholds:
    """Two comparisons that say, per run of adds, whether the questions above are worth asking."""

    __slots__ = ("_config", "ahead_at_bytes", "ahead_at_entry", "full_at_bytes", "full_at_entry")

    def __init__(self, config: ManagedLedgerConfig) -> None:
        self._config = config
        self.arm()

    def arm(self) -> None:
        """A new ledger begins."""
        self.arm_full()
        percent = self._config.next_ledger_ahead_percent
        self.ahead_at_entry = self._config.max_entries_per_ledger * percent // 100
        self.ahead_at_bytes = self._config.max_ledger_size_bytes * percent // 100

    def arm_full(self) -> None:
        """Time has passed: a ledger above its limits may be old enough now."""
        self.full_at_entry = self._config.max_entries_per_ledger - 1
        self.full_at_bytes = self._config.max_ledger_size_bytes

    def disarm_full(self) -> None:
        """It is full, but too young: only time changes that."""
        self.full_at_entry = self.full_at_bytes = _NEVER

    def disarm_ahead(self) -> None:
        """The next ledger was asked for, or only time can make it due."""
        self.ahead_at_entry = self.ahead_at_bytes = _NEVER
