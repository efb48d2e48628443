"""Decisions of a writer whose bookies may answer before an entry is durable. Pure.

Acks make an entry written, and only a force makes it confirmed: the LAC does not move before. Until
then the writer keeps it, so that a bookie that takes a failed one's place gets it too.
"""

from collections.abc import Sequence

from magnetar_ledger.ack_window import ForcedAckWindow, ack_window
from magnetar_ledger.digest import EntryDigest
from magnetar_ledger.quorum_core import QuorumCore
from magnetar_ledger.striping import Quorum


class DeferredCore(QuorumCore):
    """The pending entries of such a writer.

    Attributes:
        written: the last entry that its writer was told of.
    """

    __slots__ = ("_window", "written")

    def __init__(
        self, ledger_id: int, quorum: Quorum, ensemble: Sequence[str], digest: EntryDigest
    ) -> None:
        super().__init__(ledger_id, quorum, ensemble, digest)
        self._acks = self._window = ForcedAckWindow(ack_window(quorum, -1), -1)
        self.written = -1

    def take_written(self) -> int:
        """How many entries are written now that were not at the last call."""
        if self.frozen:
            return 0
        count = max(0, self._window.written_through() - self.written)
        self.written += count
        return count

    def can_force(self, through: int) -> bool:
        """Whether entries up to this one are written now, and the LAC could move."""
        return not self.frozen and self.reachable and through <= self._window.written_through()

    def forced(self, through: int) -> int:
        """Every bookie of the ensemble that has not failed had acknowledged its entries up to this
        one before it was asked for a force, and has answered that; returns how many entries that
        confirms.

        Every write set has an ack quorum of such bookies, as nothing is forced without.
        """
        assert self.can_force(through)
        self._window.forced_through = max(self._window.forced_through, through)
        return self._confirm()
