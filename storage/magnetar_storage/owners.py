"""Which ledger directory has a ledger."""

from collections.abc import Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from magnetar_storage.errors import DirectoryError
from magnetar_storage.journal_format import JournalMark
from magnetar_storage.ledger_records import LedgerRecords
from magnetar_storage.write_cache import WriteCache


class ReplayTarget(Protocol):
    """An engine, as replay fills it."""

    number: int
    marks: Mapping[int, JournalMark]
    records: LedgerRecords
    cache: WriteCache

    async def make_room(self) -> None:
        """Awaited after each group; flushes if the write cache is full."""

    def entries_lost(self, damages: int) -> None:
        """Told before any mark moves past damage: how often it was found until now."""


Target = TypeVar("Target", bound=ReplayTarget)


class Owners(dict[int, Target], Generic[Target]):
    """Which engine has a ledger: as its index says, else as the journal says."""

    def __init__(self, targets: Sequence[Target]) -> None:
        super().__init__()
        self.targets = targets
        self._by_number = {target.number: target for target in targets}
        for target in targets:
            for ledger_id in target.records:
                self._claim(ledger_id, target)

    def obtain(self, ledger_id: int, directory: int | None) -> Target:
        """The ledger's engine, which is this directory's if none has it yet.

        A ledger without a key in the journal (it was deleted, or its key was lost) may go anywhere.
        """
        target = self.get(ledger_id)
        if target is None:
            target = self._by_number.get(directory or 0, self.targets[0])
            self[ledger_id] = target
        return target

    def _claim(self, ledger_id: int, target: Target) -> None:
        if ledger_id in self:
            raise DirectoryError(
                f"ledger {ledger_id} is in ledger directories {self[ledger_id].number} and"
                f" {target.number}: one of them is a copy"
            )
        self[ledger_id] = target
