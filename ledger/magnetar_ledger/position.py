"""Where an entry stands in a topic: ledger id, then entry id."""

from typing import Final, NamedTuple


class Position(NamedTuple):
    """Ordered by ledger, then by entry. An entry id of -1 is the place before a ledger's first."""

    ledger_id: int
    entry_id: int


EARLIEST: Final = Position(-1, -1)
LATEST: Final = Position(2**63 - 1, 2**63 - 1)
