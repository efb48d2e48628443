"""Which ledger directories take entries, and which of them the next new ledger.

A directory whose disk failed or is full is left out, with the ledgers that are in it, as long as
another one is left. Only when none is the bookie is read-only, or of no use any more. An operator
may ask for that too; then recovery adds are taken as on a disk that is nearly full.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from magnetar_storage.disk_watch import Room

_log = logging.getLogger(__name__)


class LedgerDirectory(Protocol):
    """An engine, as the choice among them knows it."""

    path: str

    def set_room(self, room: Room) -> None:
        """Take what there is room for, and nothing else."""


Directory = TypeVar("Directory", bound=LedgerDirectory)


class LedgerDirectories(Generic[Directory]):
    """All ledger directories.

    Attributes:
        working: those whose disk did not fail.
        read_only: no directory takes entries, for lack of room or because it was asked for.
        asked_read_only: an operator wants it so, whatever the disks have room for.
    """

    def __init__(self, directories: Sequence[Directory]) -> None:
        self.all = list(directories)
        self.working = list(directories)
        self.read_only = False
        self.asked_read_only = False
        self._rooms = {each.path: Room.ENTRIES for each in directories}
        self._told = dict(self._rooms)
        self._writable = list(directories)

    @property
    def writable(self) -> Sequence[Directory]:
        """Those that take entries; none if the bookie is read-only."""
        return self._writable

    @property
    def takes_recovery(self) -> bool:
        """Whether some directory has room for what another bookie lost."""
        return any(self._rooms[each.path] >= Room.RECOVERY for each in self.working)

    @property
    def roomy(self) -> Sequence[Directory]:
        """Those whose disk has room, also if the bookie was asked to be read-only."""
        return [each for each in self.working if self._rooms[each.path] is Room.ENTRIES]

    def choose(self, ledger_id: int) -> Directory:
        """Where a new ledger goes. It stays there: the choice is kept with the ledger."""
        among = self._writable or self.working or self.all
        return among[ledger_id % len(among)]

    def set_failed(self, directory: Directory) -> bool:
        """One of them takes no more writes; returns whether another one works."""
        self.working = [each for each in self.working if each is not directory]
        self._judge()
        return bool(self.working)

    def set_rooms(self, rooms: Mapping[str, Room], needed: Collection[str]) -> None:
        """Note what the disks have room for.

        Args:
            rooms: by directory. Without a room for directories of other use nothing can be kept.
            needed: ledger directories with another use too.
        """
        common = min(
            (room for path, room in rooms.items() if path in needed or path not in self._rooms),
            default=Room.ENTRIES,
        )
        for each in self.working:
            self._rooms[each.path] = min(common, rooms.get(each.path, Room.ENTRIES))
        self._tell()

    def ask_read_only(self, asked: bool) -> None:
        """Take no entries but those of a recovery, or what there is room for again."""
        if asked != self.asked_read_only:
            self.asked_read_only = asked
            self._tell()

    def _tell(self) -> None:
        """Say what is taken now to those for whom it has changed."""
        most = Room.RECOVERY if self.asked_read_only else Room.ENTRIES
        for each in self.working:
            room = min(most, self._rooms[each.path])
            if room is not self._told[each.path]:
                self._told[each.path] = room
                each.set_room(room)
        self._judge()

    def _judge(self) -> None:
        self._writable = [e for e in self.working if self._told[e.path] is Room.ENTRIES]
        read_only = bool(self.working) and not self._writable
        if read_only and not self.read_only:
            until = "it is told to" if self.asked_read_only else "there is room again"
            _log.warning("the bookie is read-only: it takes no entries until %s", until)
        elif self.read_only and self._writable:
            _log.info("the bookie takes entries again")
        self.read_only = read_only
