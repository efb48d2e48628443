"""How many payload bytes a ledger has up to an entry, from the entries that bookies told of."""

from typing import Final, NamedTuple

_BEFORE_THE_FIRST: Final = -1


class HeardLength(NamedTuple):
    """Payload bytes; unless `exact`, the nearest that is known."""

    bytes: int
    exact: bool


class HeardLengths:
    """Each entry tells two: how long the ledger is with it, and how long it was before."""

    def __init__(self) -> None:
        self._bytes = {_BEFORE_THE_FIRST: 0}

    def note(self, entry_id: int, length: int, payload_bytes: int) -> None:
        """Take an entry, confirmed or not."""
        self._bytes[entry_id - 1] = length - payload_bytes
        self._bytes[entry_id] = length
        self._bytes[_BEFORE_THE_FIRST] = 0  # whatever writers with entry ids of their own note

    def at(self, last_entry_id: int) -> HeardLength:
        """The length of a ledger that ends at this entry."""
        if (known := self._bytes.get(last_entry_id)) is not None:
            return HeardLength(known, exact=True)
        # One behind it counts some too many, one before it too few, often all of the ledger.
        behind = [entry_id for entry_id in self._bytes if entry_id > last_entry_id]
        nearest = min(behind) if behind else max(self._bytes)
        return HeardLength(self._bytes[nearest], exact=False)
