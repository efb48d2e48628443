"""How often entries were given back unacked."""


class RedeliveryCounts:
    """Counts per entry, in memory only: they end with the last consumer of the subscription."""

    __slots__ = ("_ledgers",)

    def __init__(self) -> None:
        self._ledgers: dict[int, dict[int, int]] = {}

    def increment(self, ledger_id: int, entry_id: int) -> None:
        entries = self._ledgers.setdefault(ledger_id, {})
        entries[entry_id] = entries.get(entry_id, 0) + 1

    def of(self, ledger_id: int, entry_id: int) -> int:
        entries = self._ledgers.get(ledger_id)
        return entries.get(entry_id, 0) if entries is not None else 0

    def forget(self, ledger_id: int, entry_id: int) -> None:
        """The entry was acked."""
        entries = self._ledgers.get(ledger_id)
        if entries is not None and entries.pop(entry_id, None) is not None and not entries:
            del self._ledgers[ledger_id]

    def clear(self) -> None:
        self._ledgers.clear()

    def __len__(self) -> int:
        return sum(map(len, self._ledgers.values()))
