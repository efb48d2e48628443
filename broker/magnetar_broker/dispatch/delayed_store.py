"""Buckets of a delayed index, kept by its cursor."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from magnetar_ledger.errors import (
    DigestMismatchError,
    LedgerError,
    NoSuchEntryError,
    NoSuchLedgerError,
)
from magnetar_runtime.slices import Slices

from magnetar_broker.dispatch.delayed_buckets import BucketMaker, Directory, StoredBucket
from magnetar_broker.dispatch.delayed_runs import MalformedIndexError, SortedRun

if TYPE_CHECKING:
    from magnetar_ledger.managed.cursor_buckets import CursorBuckets
    from magnetar_ledger.reader import LedgerReader
    from magnetar_runtime.clock import Clock

log = logging.getLogger(__name__)

_LAST: Final = -1
_LOST: Final = (NoSuchLedgerError, NoSuchEntryError, DigestMismatchError, MalformedIndexError)


class BucketLostError(Exception):
    """A bucket can never be read any more. Never leaves this package."""


class DelayedStore:
    """Writes, reads and drops buckets."""

    def __init__(self, ledgers: CursorBuckets, clock: Clock, segment_rows: int) -> None:
        self._ledgers = ledgers
        self._clock = clock
        self._segment_rows = segment_rows
        # Scenario: a bucket that is to be kept waits behind a change before it; one that is dropped
        # meanwhile must not forget it. So what is wanted is known here, ahead of the cursor.
        self._wanted: list[int] = list(ledgers.kept)
        self._readers: dict[int, LedgerReader] = {}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to restore."""
        return not (self._ledgers.kept or self._ledgers.leftovers)

    async def store(self, runs: Sequence[SortedRun]) -> StoredBucket:
        """Make a bucket of these runs and keep it.

        Raises:
            LedgerError: it is not kept.
        """
        maker, slices = BucketMaker(runs, self._segment_rows), Slices(self._clock)
        while maker.step():
            await slices.breathe()
        ledger_id = await self._ledgers.write(maker.entries)
        self._wanted.append(ledger_id)
        try:
            await self._ledgers.keep(tuple(self._wanted), "")
        except LedgerError:
            self._wanted = [each for each in self._wanted if each != ledger_id]
            raise
        return StoredBucket(ledger_id, maker.directory)

    async def load(self, bucket: StoredBucket) -> SortedRun:
        """The bucket's next segment.

        Raises:
            BucketLostError, LedgerError: it cannot be read, ever or now.
        """
        try:
            reader = await self._reader(bucket.ledger_id)
            return SortedRun.decode(await _entry(reader, bucket.segment))
        except _LOST as error:
            raise BucketLostError(f"ledger {bucket.ledger_id}: {error}") from error

    async def restore(self) -> list[tuple[StoredBucket, Directory]]:
        """All buckets that are kept. Lost ones are dropped: what they had is in the backlog.

        Raises:
            LedgerError: they cannot be read now.
        """
        await self._ledgers.collect()
        found: list[tuple[StoredBucket, Directory]] = []
        lost: list[int] = []
        for ledger_id in self._ledgers.kept:
            try:
                reader = await self._reader(ledger_id)
                directory = Directory.decode(await _entry(reader, reader.last_add_confirmed))
            except _LOST as error:
                log.error("delayed messages are read again: bucket %d: %s", ledger_id, error)
                lost.append(ledger_id)
            else:
                found.append((StoredBucket(ledger_id, directory), directory))
        if lost:
            await self.drop(lost)
        return found

    async def drop(self, ledger_ids: Sequence[int]) -> None:
        """Forget buckets that are used up; if that fails they are read again after a restart."""
        self._wanted = [each for each in self._wanted if each not in ledger_ids]
        for ledger_id in ledger_ids:
            self._readers.pop(ledger_id, None)
        try:
            await self._ledgers.keep(tuple(self._wanted), "")
        except LedgerError as error:
            log.warning("used up buckets %s are left over: %s", list(ledger_ids), error)

    def forget_all(self) -> Sequence[int]:
        """Want no bucket any more; returns those that were, for `drop`."""
        gone, self._wanted = self._wanted, []
        self._readers.clear()
        return gone

    async def _reader(self, ledger_id: int) -> LedgerReader:
        reader = self._readers.get(ledger_id)
        if reader is None:
            reader = self._readers[ledger_id] = await self._ledgers.open(ledger_id)
        return reader


async def _entry(reader: LedgerReader, entry_id: int) -> bytes:
    return (await reader.read(entry_id, 1, 1))[0]
