"""Topics as chains of ledgers: the managed ledger, its cursors and its tail cache."""

from magnetar_ledger.managed.config import (
    LedgerPolicies,
    ManagedLedgerConfig,
    ManagedLedgerDeps,
    Retention,
)
from magnetar_ledger.managed.cursor import Cursor
from magnetar_ledger.managed.entry_cache import EntryCacheManager
from magnetar_ledger.managed.managed_ledger import AppendSink, ManagedLedger

__all__ = [
    "AppendSink",
    "Cursor",
    "EntryCacheManager",
    "LedgerPolicies",
    "ManagedLedger",
    "ManagedLedgerConfig",
    "ManagedLedgerDeps",
    "Retention",
]
