"""The scrubber: looks at all records of a bookie, and has replaced what is bad or missing.

Bad is a block that cannot be read; missing is an entry of a closed ledger that metadata says should
be here. Both are fetched from replicas and added again under their ids. Of a ledger that is still
open only what blocks had is known; the rest is for its recovery.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from magnetar_metadata.errors import MalformedRecordError, MetadataError
from magnetar_metadata.ledger_metadata import LedgerMetadata
from magnetar_proto.bookie import Status
from magnetar_runtime.clock import Clock
from magnetar_runtime.slices import Slices

from magnetar_storage.engine import BookieEngine
from magnetar_storage.errors import OutOfUseError
from magnetar_storage.integrity import LedgerMetadataReader, runs_on
from magnetar_storage.ledger_engine import LedgerEngine
from magnetar_storage.location_index import Row
from magnetar_storage.readable import count_readable
from magnetar_storage.scrub.agenda import ScrubAgenda
from magnetar_storage.scrub.block_check import BlockCheck, Findings
from magnetar_storage.scrub.config import ScrubConfig
from magnetar_storage.scrub.id_runs import GrowingRuns, IdRun, count_ids, split, subtract
from magnetar_storage.scrub.mender import Mender
from magnetar_storage.scrub.replacement import drop_rows
from magnetar_storage.sliced import sorted_in_slices

_log = logging.getLogger(__name__)
_BUSY_PAUSE_S: Final = 0.1

MAX_WANTED_RUNS: Final = 4096
"""Repaired of one ledger at once; the rest follows."""

MAX_MENDED_LEDGERS: Final = 64
"""Whose entries lie in the write cache only, before a flush."""


@dataclass(slots=True)
class _Mended:
    """A ledger of which nothing more is wanted, once it is flushed."""

    metadata: LedgerMetadata
    damaged: list[Row]


class Scrubber:
    """Scrubs one bookie. `run_due` is to be called again and again, never twice at a time."""

    def __init__(
        self,
        bookie: BookieEngine,
        metadata: LedgerMetadataReader,
        mender: Mender,
        config: ScrubConfig,
        clock: Clock,
    ) -> None:
        self._bookie = bookie
        self._metadata = metadata
        self._mender = mender
        self._clock = clock
        self._agenda = ScrubAgenda(config, self._now_ms())
        self._blocks = BlockCheck(config.rate_bytes_per_s, clock, bookie.counters)
        self._mended: dict[int, _Mended] = {}

    @property
    def waiting(self) -> int:
        """Ledgers of which something is bad or missing, as far as is known."""
        return len(self._agenda)

    def suspect(self, ledger_id: int) -> None:
        """Have a ledger looked at soon."""
        self._agenda.suspect(ledger_id)

    async def run_due(self) -> None:
        """Look at what is suspected, then at everything if it is time for that.

        Raises:
            OutOfUseError: a disk failed.
        """
        await self._serve_suspects()
        await self._settle()
        if self._agenda.pass_due(self._now_ms()):
            await self._pass()

    async def _pass(self) -> None:
        slices, scanned = Slices(self._clock), 0
        try:
            own = self._bookie.ledger_ids
            listed = await self._metadata.list_ids()
            slices.begin()
            for ledger_id in await sorted_in_slices(own, slices):
                await self._scrub_readable(ledger_id)
                await self._serve_suspects()
                scanned += 1
            for ledger_id in listed:  # of those that are not here at all, some should be
                if self._bookie.engine_of(ledger_id) is None:
                    await self._scrub_readable(ledger_id)
                await slices.breathe()
        except MetadataError as error:
            _log.warning("scrubbing ends early, metadata cannot be read: %s", error)
            self._agenda.pass_failed(self._now_ms())
            return
        finally:
            await self._settle()
        self._bookie.counters.scrub_passes += 1
        _log.info("scrubbed %d ledgers; %d are to be repaired", scanned, self.waiting)

    async def _serve_suspects(self) -> None:
        for ledger_id in self._bookie.take_suspects():
            self._agenda.suspect(ledger_id)
        while (ledger := self._agenda.due(self._now_ms())) is not None:
            try:
                await self._scrub(ledger)
            except MetadataError as error:
                _log.warning("ledger %d is not repaired, no metadata: %s", ledger, error)
                self._agenda.failed(ledger, self._now_ms())

    async def _scrub_readable(self, ledger_id: int) -> None:
        """`_scrub`, unless nobody can understand the ledger's metadata: the pass goes on."""
        try:
            await self._scrub(ledger_id)
        except MalformedRecordError as error:
            _log.error(
                "ledger %d is not scrubbed until its metadata is mended: %s", ledger_id, error
            )

    async def _scrub(self, ledger_id: int) -> None:
        """Raises MetadataError, OutOfUseError."""
        engine = self._bookie.engine_of(ledger_id)
        findings = Findings()
        if engine is not None:
            findings = await self._blocks.examine(engine, ledger_id)
        found = await self._metadata.read(ledger_id)
        if found is None or not self._names_us(found[0]):
            # Deleted, or on its way here: who copies it looks whether all of it is there.
            self._agenda.done(ledger_id)
            return
        metadata = found[0]
        wanted = await self._wanted(engine, ledger_id, metadata, findings)
        if wanted:
            await self._mend(ledger_id, metadata, wanted, findings)
        elif findings.damaged or metadata.closed:
            self._no_more_wanted(ledger_id, metadata, findings)
        else:
            self._agenda.done(ledger_id)
        if len(self._mended) >= MAX_MENDED_LEDGERS:
            await self._settle()

    async def _wanted(
        self,
        engine: LedgerEngine | None,
        ledger_id: int,
        metadata: LedgerMetadata,
        findings: Findings,
    ) -> list[IdRun]:
        """What should be here and is not."""
        wanted, slices = GrowingRuns(), Slices(self._clock)
        damaged = [(row.first_entry, row.last_entry) for row in findings.damaged]
        expected = self._expected(metadata, damaged[-1][1] if damaged else -1)
        for run in subtract(expected, findings.present.runs):
            for first, last, bad in split(run, damaged):
                if bad:
                    assert engine is not None
                    await self._note_uncached(engine, ledger_id, range(first, last + 1), wanted)
                elif metadata.closed:
                    await self._note_unread(ledger_id, first, last, wanted)
                    slices.begin()
            if len(wanted.runs) >= MAX_WANTED_RUNS:
                break
            await slices.breathe()
        return wanted.runs

    async def _note_uncached(
        self, engine: LedgerEngine, ledger_id: int, entry_ids: range, wanted: GrowingRuns
    ) -> None:
        """Entries of a bad block. Reads may still find them, in a block that is kept in memory."""
        slices = Slices(self._clock)
        for entry_id in entry_ids:
            if not engine.cache.has(ledger_id, entry_id):
                wanted.add(entry_id, entry_id)
            await slices.breathe()

    async def _note_unread(
        self, ledger_id: int, first: int, last: int, wanted: GrowingRuns
    ) -> None:
        """Entries in no block that was found: they may be in the write cache, or gone."""
        entry_id = first
        while entry_id <= last and len(wanted.runs) < MAX_WANTED_RUNS:
            status, count = await count_readable(
                self._bookie, ledger_id, entry_id, last - entry_id + 1
            )
            if status is Status.TOO_MANY_REQUESTS or status is Status.UNAVAILABLE:
                await asyncio.sleep(_BUSY_PAUSE_S)
                continue
            if status is not Status.OK:
                wanted.add(entry_id, entry_id)
                count = 1
            entry_id += count

    async def _mend(
        self, ledger_id: int, metadata: LedgerMetadata, wanted: list[IdRun], findings: Findings
    ) -> None:
        counters, count = self._bookie.counters, count_ids(wanted)
        _log.error(
            "ledger %d: %d entries from %d on are damaged or missing, %d blocks cannot be read",
            ledger_id, count, wanted[0][0], len(findings.damaged),
        )  # fmt: skip
        mended = await self._mender.mend(ledger_id, metadata, wanted)
        counters.scrub_entries_bad += count
        counters.scrub_entries_mended += mended
        if mended:
            _log.warning("ledger %d: %d entries came back from replicas", ledger_id, mended)
        if mended == count and len(wanted) < MAX_WANTED_RUNS:
            self._no_more_wanted(ledger_id, metadata, findings)
            return
        if mended < count:
            _log.error(
                "ledger %d: %d entries are on no replica that answers; tried again later",
                ledger_id, count - mended,
            )  # fmt: skip
        self._agenda.failed(ledger_id, self._now_ms())

    def _no_more_wanted(self, ledger_id: int, metadata: LedgerMetadata, findings: Findings) -> None:
        self._agenda.done(ledger_id)
        engine = self._bookie.engine_of(ledger_id)
        if findings.damaged or (engine is not None and engine.doubts(ledger_id)):
            self._mended[ledger_id] = _Mended(metadata, findings.damaged)

    async def _settle(self) -> None:
        """Bring what was added into the logs; nothing points to the bad blocks any more then."""
        mended, self._mended = self._mended, {}
        if not mended:
            return
        try:
            await self._replace(mended)
        except OutOfUseError:
            for ledger_id in mended:
                self._agenda.failed(ledger_id, self._now_ms())
            raise

    async def _replace(self, mended: Mapping[int, _Mended]) -> None:
        await self._bookie.flush()
        certain: list[int] = []
        for ledger_id, each in mended.items():
            engine = self._bookie.engine_of(ledger_id)
            if engine is None:
                continue  # deleted meanwhile
            expected = partial(self._expected, each.metadata)
            if await drop_rows(engine, each.damaged, expected) < len(each.damaged):
                self._agenda.failed(ledger_id, self._now_ms())
            elif each.metadata.closed and engine.doubts(ledger_id):
                certain.append(ledger_id)
        if certain:
            await self._bookie.certify(certain)
        await self._bookie.release_damaged_logs()

    def _expected(self, metadata: LedgerMetadata, open_end: int) -> Iterable[IdRun]:
        """Ids that should be here; of an open ledger those up to `open_end` that may be."""
        if not metadata.closed:
            metadata = replace(metadata, last_entry_id=open_end)
        return runs_on(metadata, self._bookie.bookie_id)

    def _names_us(self, metadata: LedgerMetadata) -> bool:
        return any(self._bookie.bookie_id in each.bookies for each in metadata.segments)

    def _now_ms(self) -> int:
        return self._clock.monotonic_ns() // 1_000_000
