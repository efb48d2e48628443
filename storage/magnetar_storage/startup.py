"""The start of a bookie: its journals are replayed into the engines, one after another."""

from collections.abc import Sequence
from functools import partial

from magnetar_runtime.disk import Worker
from magnetar_runtime.slices import Slices

from magnetar_storage.journal_files import JournalFiles
from magnetar_storage.journal_format import JournalMark
from magnetar_storage.ledger_engine import LedgerEngine
from magnetar_storage.owners import Owners
from magnetar_storage.replay import Replay, ReplayEnd


class Startup:
    """Replays journals; engines that are full flush meanwhile.

    Attributes:
        entries: replayed until now.
    """

    def __init__(
        self,
        engines: Sequence[LedgerEngine],
        owners: Owners[LedgerEngine],
        slices: Slices,
        worker: Worker,
    ) -> None:
        self._engines = engines
        self._owners = owners
        self._slices = slices
        self._worker = worker
        self._running: dict[int, Replay] = {}
        self._damages = max(engine.damages for engine in engines)
        self._damages_before = self._damages
        self.entries = 0
        for engine in engines:
            engine.parts.flusher.marks = partial(self._marks, engine)

    async def replay(self, number: int, files: JournalFiles, *, only: bool) -> ReplayEnd:
        """Replay one journal.

        Args:
            only: there is no other one.

        Raises:
            OSError, StorageError: the disk failed.
        """
        replay = self._running[number] = Replay(
            files,
            number,
            self._worker,
            self._owners,
            self._slices,
            self._damages,
            checked=-1 if only else self._damages_before,
        )
        end = await replay.run()
        self._damages += end.damaged
        self.entries += end.entries
        return end

    def _marks(self, engine: LedgerEngine) -> dict[int, JournalMark]:
        """What an engine has when it flushes now: of each journal, as far as it is replayed."""
        running = self._running
        return {
            number: max(mark, running[number].mark) if number in running else mark
            for number, mark in engine.marks.items()
        }
