"""The start of a bookie: journals are replayed into the engines, then these take adds."""

from collections.abc import Sequence
from functools import partial

from magnetar_runtime.disk import Worker
from magnetar_runtime.slices import Slices

from magnetar_storage.journal import Journal
from magnetar_storage.journal_format import FILE_HEADER_BYTES, FIRST_MARK, JournalMark
from magnetar_storage.journals import Journals
from magnetar_storage.ledger_engine import LedgerEngine
from magnetar_storage.location_index import IndexBatch
from magnetar_storage.owners import Owners
from magnetar_storage.replay import Replay, ReplayEnd


class Startup:
    """Replays the journals one after another; engines that are full flush meanwhile."""

    def __init__(
        self,
        engines: Sequence[LedgerEngine],
        owners: Owners[LedgerEngine],
        journals: Journals,
        slices: Slices,
        worker: Worker,
    ) -> None:
        """Args: `worker` reads the journals."""
        self._engines = engines
        self._owners = owners
        self._journals = journals
        self._slices = slices
        self._worker = worker
        self._running: dict[int, Replay] = {}
        self._damages = max(engine.damages for engine in engines)
        self._damages_before = self._damages

    async def run(self, log_ids: Sequence[Sequence[int]]) -> int:
        """Replay, begin new journal files, take adds; returns how many entries were replayed.

        Args:
            log_ids: of the entry logs that are there, for each engine.

        Raises:
            OSError, StorageError: the disk failed.
        """
        deleted = [
            await self._find_place(engine, ids)
            for engine, ids in zip(self._engines, log_ids, strict=True)
        ]
        for engine in self._engines:
            engine.parts.flusher.marks = partial(self._marks, engine)
        numbered = list(zip(self._journals.numbers, self._journals.all, strict=True))
        ends = [await self._replay(number, journal) for number, journal in numbered]
        for journal, end in zip(self._journals.all, ends, strict=True):
            await journal.begin(end.next_number, end.next_sequence, end.oldest_number)
        for engine, ledger_ids in zip(self._engines, deleted, strict=True):
            await self._open(engine, ledger_ids)
        self._flush_replayed()
        self._journals.retire()
        return sum(end.entries for end in ends)

    async def _find_place(self, engine: LedgerEngine, log_ids: Sequence[int]) -> set[int]:
        """Count what the entry logs hold, and begin a new one; returns ledgers without a record."""
        catalog = engine.parts.catalog
        deleted = await catalog.count_rows(self._slices, engine.records)
        engine.parts.writer.begin(max([*log_ids, *catalog.rows_in_log], default=0) + 1)
        return deleted

    async def _replay(self, number: int, journal: Journal) -> ReplayEnd:
        only = len(self._journals.all) == 1
        replay = self._running[number] = Replay(
            journal.files,
            number,
            self._worker,
            self._owners,
            self._slices,
            self._damages,
            checked=-1 if only else self._damages_before,
        )
        end = await replay.run()
        self._damages += end.damaged
        return end

    async def _open(self, engine: LedgerEngine, deleted: set[int]) -> None:
        parts = engine.parts
        parts.flusher.marks = self._journals.current_marks
        async with parts.catalog.lock:
            engine.check_working()
            await self._note_beginnings(engine)
        # What has no record was being deleted, unless the journal has brought it back.
        await parts.garbage.delete_rows(deleted.difference(engine.records))
        await parts.garbage.delete_dead_logs()
        engine.serve()

    def _flush_replayed(self) -> None:
        """Soon, and nobody waits for it.

        Scenario: a supervisor starts a bookie again and again, and each time it is killed before it
        flushes. Every start begins a journal file; were what is replayed left to the flush
        interval, none would ever go, until the disk is full.
        """
        for engine in self._engines:
            if engine.cache.active.ledgers:
                engine.request_flush()

    async def _note_beginnings(self, engine: LedgerEngine) -> None:
        """Before any add: the new journals, whose absence is noticed from now on, and all ledgers.

        Scenario: a ledger's key is in one journal, and its next entry goes to another one. Were
        the key replayed behind the entry, nobody would know in time which directory's it is.
        """
        batch = IndexBatch()
        for ledger_id in engine.records.take_dirty():
            batch.record_puts.append((ledger_id, engine.records[ledger_id].encode()))
            await self._slices.breathe()
        if engine.cache.active.ledgers:
            begin = JournalMark(1, FILE_HEADER_BYTES, FIRST_MARK.sequence)
            batch.marks = {n: begin for n, mark in engine.marks.items() if mark == FIRST_MARK}
        else:
            batch.marks = self._journals.current_marks()  # nothing before the new files is needed
        await engine.parts.catalog.commit(batch)
        engine.marks = {**engine.marks, **batch.marks}

    def _marks(self, engine: LedgerEngine) -> dict[int, JournalMark]:
        """What an engine has when it flushes now: of each journal, as far as it is replayed."""
        running = self._running
        return {
            number: max(mark, running[number].mark) if number in running else mark
            for number, mark in engine.marks.items()
        }
