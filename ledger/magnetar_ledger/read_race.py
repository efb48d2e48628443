"""Which replica a read asks next, and what it has failed with when all have answered."""

from collections.abc import Collection, Sequence

from magnetar_ledger.errors import (
    DigestMismatchError,
    EntryUnreadableError,
    LedgerError,
    NoSuchEntryError,
)


class ReadRace:
    """One read of one entry or batch. Several replicas may be asked at a time."""

    __slots__ = ("_failures", "_order", "_waiting")

    def __init__(self, order: Sequence[int]) -> None:
        self._order = list(order)
        self._waiting = 0
        self._failures: list[LedgerError] = []

    @property
    def more(self) -> bool:
        """Whether there is somebody who was not asked."""
        return bool(self._order)

    def ask(self) -> int:
        """The next replica; it is being asked from now on."""
        self._waiting += 1
        return self._order.pop(0)

    def failed(self, error: LedgerError) -> bool:
        """A replica gave no good answer. True if the next one should be asked now."""
        self._waiting -= 1
        self._failures.append(error)
        return self.more and not self._waiting

    @property
    def lost(self) -> bool:
        """Whether nobody is left who could answer."""
        return not self._order and not self._waiting

    def error(self) -> LedgerError:
        """What to say when it is lost: "missing" only if each replica was certain."""
        assert self.lost
        for kind in (EntryUnreadableError, DigestMismatchError, NoSuchEntryError):
            for failure in self._failures:
                if isinstance(failure, kind):
                    return failure
        raise AssertionError("a read without replicas")


def read_order(
    write_set: Sequence[int],
    bookies: Sequence[str],
    *,
    preferred: int | None,
    shunned: Collection[str],
) -> list[int]:
    """The places of an ensemble in the order in which they are to be asked.

    Args:
        preferred: the place that all reads begin with, so that one bookie can read ahead; the
            others follow in their turn. None keeps the order of the write set.
        shunned: bookies that are asked last.
    """
    order = list(write_set)
    if preferred is not None and preferred in order:
        at = order.index(preferred)
        order = order[at:] + order[:at]
    if shunned:
        order.sort(key=lambda place: bookies[place] in shunned)
    return order
