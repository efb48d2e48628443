"""What is done to all ledger directories of a bookie now and then, beside adds and reads."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from itertools import chain

from magnetar_proto.bookie import Status
from magnetar_runtime.clock import Clock
from magnetar_runtime.slices import Slices

from magnetar_storage.entry_listing import Feed
from magnetar_storage.errors import EntryLogFormatError, OutOfUseError
from magnetar_storage.garbage import LedgerListing, doomed
from magnetar_storage.ledger_directories import LedgerDirectories
from magnetar_storage.ledger_engine import LedgerEngine
from magnetar_storage.location_index import IndexBatch
from magnetar_storage.owners import Owners

_log = logging.getLogger(__name__)


class Upkeep:
    """This part of a bookie. One directory that is out of use keeps no other from being served.

    Attributes:
        engines: one per ledger directory, in the order of the configuration.
        directories: which of them take entries.
    """

    engines: list[LedgerEngine]
    directories: LedgerDirectories[LedgerEngine]
    _owners: Owners[LedgerEngine]
    _clock: Clock

    @property
    def uncertain(self) -> bool:
        """Ledgers may have been lost: one that is unknown here is not called absent."""
        return any(_is_uncertain(engine) for engine in self.engines)

    @property
    def damages(self) -> int:
        """At how many starts a journal was found damaged."""
        return max(engine.damages for engine in self.engines)

    def uncertain_ledgers(self) -> list[int]:
        """Known ledgers of which entries may have been lost: what is not found is not absent."""
        return [
            record.ledger_id
            for engine in self.engines
            for record in engine.records.values()
            if record.checked < engine.damages
        ]

    async def certify(self, ledger_ids: Iterable[int], *, unknown: bool = False) -> None:
        """Replicas were asked: nothing that these ledgers should have is missing here.

        Args:
            unknown: nor is any ledger missing that metadata says should be here.

        Raises:
            OutOfUseError: the disk failed, now or before.
        """
        by_engine = await self._by_engine(ledger_ids)

        async def certify(engine: LedgerEngine) -> None:
            for ledger_id in by_engine.get(engine, ()):
                record = engine.records.get(ledger_id)
                if record is not None:
                    engine.records.check(record, engine.damages)
            if unknown and _is_uncertain(engine):
                await _certify_unknown(engine)
            await engine.flush()

        await self._each(certify)

    @property
    def ledger_ids(self) -> list[int]:
        """The ledgers that it holds, in no order."""
        return list(chain.from_iterable(engine.records for engine in self.engines))

    def engine_of(self, ledger_id: int) -> LedgerEngine | None:
        """The ledger directory that has a ledger."""
        return self._owners.get(ledger_id)

    def take_suspects(self) -> list[int]:
        """Ledgers of which a block could not be read since this was asked last."""
        return [each for engine in self.engines for each in engine.parts.suspects.take()]

    async def release_damaged_logs(self) -> None:
        """Let logs be compacted that were left for a repair; those that are dead go now.

        Raises:
            OutOfUseError: a disk failed, now or before.
        """

        async def release(engine: LedgerEngine) -> None:
            engine.parts.compactor.release_damaged()
            with engine.writing():
                await engine.parts.garbage.delete_dead_logs()

        await self._each(release)

    async def list_entries(self, ledger_id: int, feed: Feed) -> Status:
        """Feed the ids of a ledger's entries that are here; only on OK are they all.

        Raises:
            Exception: whatever `feed` raises.
        """
        engine = self._owners.get(ledger_id)
        if engine is None or ledger_id not in engine.records:
            return Status.IO_ERROR if self.uncertain else Status.NO_LEDGER
        try:
            await engine.parts.listing.list_ids(ledger_id, feed, Slices(self._clock))
        except (EntryLogFormatError, OSError) as error:
            engine.parts.suspects.add(ledger_id)
            _log.error("ledger %d: its entries cannot be listed: %s", ledger_id, error)
            return Status.IO_ERROR
        record = engine.records.get(ledger_id)
        if record is None:  # deleted meanwhile
            return Status.NO_LEDGER
        return Status.IO_ERROR if record.checked < engine.damages else Status.OK

    async def delete_ledgers(self, ledger_ids: Iterable[int]) -> None:
        """Forget ledgers with all their entries; dead entry logs go.

        Raises:
            OutOfUseError: a disk failed, now or before. What other directories have is deleted.
        """
        by_engine = await self._by_engine(ledger_ids)

        async def delete(engine: LedgerEngine) -> None:
            some = by_engine.get(engine)
            if some:
                with engine.writing():
                    await engine.parts.garbage.delete_ledgers(some)
                slices = Slices(self._clock)
                for ledger_id in some:
                    if ledger_id not in engine.records:
                        self._owners.pop(ledger_id, None)
                    await slices.breathe()

        await self._each(delete)

    async def collect_garbage(self, listing: LedgerListing) -> int:
        """Delete the ledgers that metadata no longer has; returns how many.

        Raises:
            OutOfUseError: a disk failed, now or before.
            Exception: whatever the listing raises; nothing was deleted then.
        """
        gone = await doomed(self.ledger_ids, listing, Slices(self._clock))
        if gone:
            await self.delete_ledgers(gone)
        return len(gone)

    async def compact(self, max_share: float, rate_bytes_per_s: int) -> int:
        """Free the room of deleted ledgers in logs that others share; returns how many logs went.

        Directories that are full, or become so, are left out: copies come before what they free.

        Args:
            max_share: logs with a smaller share of live bytes are compacted.
            rate_bytes_per_s: how much is copied in a second at the most.

        Raises:
            OutOfUseError: a disk failed, now or before.
        """
        count = 0
        for engine in self.directories.roomy:
            with engine.writing():
                count += await engine.parts.compactor.compact(
                    max_share,
                    rate_bytes_per_s,
                    partial(self._has_room, engine),
                    engine.parts.garbage.delete_dead_logs,
                )
        return count

    def _has_room(self, engine: LedgerEngine) -> bool:
        return engine in self.directories.roomy

    async def flush(self) -> None:
        """Bring all that was added so far into entry logs and indexes.

        Raises:
            OutOfUseError: a disk failed, now or before. What other directories have is flushed.
        """
        await self._each(LedgerEngine.flush)

    async def _each(self, work: Callable[[LedgerEngine], Awaitable[None]]) -> None:
        """Do it in all directories; one that is out of use is told at the end."""
        failed: OutOfUseError | None = None
        for engine in self.engines:
            try:
                await work(engine)
            except OutOfUseError as error:
                failed = error
        if failed is not None:
            raise failed

    async def _by_engine(self, ledger_ids: Iterable[int]) -> dict[LedgerEngine, list[int]]:
        found: dict[LedgerEngine, list[int]] = {}
        slices = Slices(self._clock)
        for ledger_id in ledger_ids:
            engine = self._owners.get(ledger_id)
            if engine is not None:
                found.setdefault(engine, []).append(ledger_id)
            await slices.breathe()
        return found


def _is_uncertain(engine: LedgerEngine) -> bool:
    """A ledger that is unknown there may have been lost."""
    return engine.parts.reads.unknown_checked < engine.damages


async def _certify_unknown(engine: LedgerEngine) -> None:
    with engine.writing():
        async with engine.parts.catalog.lock:
            checked = engine.damages
            await engine.parts.catalog.commit(IndexBatch(unknown_checked=checked))
    engine.parts.reads.unknown_checked = checked
