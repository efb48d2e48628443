"""Which last add confirmed the bookie has heard of, by ledger. Pure.

An entry's header carries the LAC that its writer had, and a writer may tell it without an entry. A
lower bound is always right, so what does not fit any more is forgotten.
"""

from struct import Struct
from typing import Final

_lac: Final = Struct(">16xq").unpack_from


class LacTable:
    """The highest LAC of each ledger; those heard of last are kept."""

    def __init__(self, max_ledgers: int) -> None:
        self._max_ledgers = max_ledgers
        self._lacs: dict[int, int] = {}

    def get(self, ledger_id: int) -> int | None:
        """The highest one heard of; None if it is not known whether there is any."""
        return self._lacs.get(ledger_id)

    def learn(self, ledger_id: int, lac: int) -> bool:
        """Take a LAC; whether it is higher than what was known."""
        known = self._lacs.get(ledger_id)
        if known is not None and lac <= known:
            return False
        if known is None and len(self._lacs) >= self._max_ledgers:
            del self._lacs[next(iter(self._lacs))]
        self._lacs[ledger_id] = lac
        return True

    def __len__(self) -> int:
        return len(self._lacs)


def lac_of(entry: bytes) -> int:
    """The LAC in an entry's header."""
    return int(_lac(entry)[0])
