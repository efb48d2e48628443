"""Ledgers with blocks that could not be read, for whoever repairs them. Pure."""

from typing import Final

MAX_SUSPECTS: Final = 10_000
"""Noted at once; others are found by the next pass over all records."""


class Suspects:
    """Noted by those that read, taken by the one that repairs."""

    def __init__(self) -> None:
        self._ledger_ids: dict[int, None] = {}

    def add(self, ledger_id: int) -> None:
        """A block of this ledger cannot be read."""
        if len(self._ledger_ids) < MAX_SUSPECTS:
            self._ledger_ids[ledger_id] = None

    def take(self) -> list[int]:
        """All that were noted since the last time."""
        taken = list(self._ledger_ids)
        self._ledger_ids.clear()
        return taken
