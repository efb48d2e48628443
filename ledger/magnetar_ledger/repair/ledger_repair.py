"""Makes one ledger whole again: what is missing is copied, what is lost gets another bookie.

Each step leaves the ledger as good as it was or better, so a worker may die after any: entries are
on their new bookie before metadata says so, and the marker goes last.
"""

import logging
from dataclasses import dataclass
from enum import Enum, auto

from magnetar_metadata.bookie_registry import BookieRegistry
from magnetar_metadata.ledger_metadata import LedgerMetadata, Segment
from magnetar_metadata.repair_locks import RepairLock

from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.errors import NotEnoughBookiesError, SilentBookieError
from magnetar_ledger.metadata_update import VersionedMetadata, read_metadata
from magnetar_ledger.recovery import recover_ledger
from magnetar_ledger.repair.bookie_adds import LedgerAccess
from magnetar_ledger.repair.bookie_replacement import BookieReplacement
from magnetar_ledger.repair.config import RepairConfig
from magnetar_ledger.repair.fragment_copy import FragmentCopier
from magnetar_ledger.repair.fragments import Fragment, ensemble_of, known_fragments, open_segment
from magnetar_ledger.repair.replica_check import bad_entries, in_batches

log = logging.getLogger(__name__)


class Repaired(Enum):
    """The ledger needs no more."""

    WHOLE = auto()


@dataclass(frozen=True, slots=True)
class WriterHasTime:
    """The open last segment has lost bookies, which its writer may still replace by itself."""

    segment: Segment
    lost: frozenset[str]


class LedgerRepair:
    """Repairs ledgers, for one worker. Whoever calls holds the lock of the ledger."""

    def __init__(
        self,
        tools: ClientTools,
        bookies: BookieRegistry,
        replacement: BookieReplacement,
        config: RepairConfig,
    ) -> None:
        self._tools = tools
        self._bookies = bookies
        self._replacement = replacement
        self._config = config
        self.copier = FragmentCopier(tools, config)

    async def repair(
        self, lock: RepairLock, *, silent_are_lost: bool = False
    ) -> Repaired | WriterHasTime:
        """Copy what is missing and replace what is lost.

        Args:
            silent_are_lost: a registered bookie that does not answer is replaced, too.

        Raises:
            NoSuchLedgerError: the ledger was deleted.
            LedgerError, MetadataError: to be tried again later; nothing is worse than before.
        """
        known = await read_metadata(self._tools.registry, lock.ledger_id)
        registered = await self._bookies.registered()
        for fragment in known_fragments(known.metadata):
            if fragment.bookie_id in registered:
                known = await self._heal(lock, known, fragment, silent_are_lost)
            else:
                known = await self._replace(lock, known, fragment)
        last = open_segment(known.metadata)
        if last is not None and (lost := frozenset(last.bookies) - registered):
            return WriterHasTime(last, lost)
        return Repaired.WHOLE

    async def close_abandoned(
        self, lock: RepairLock, waited: WriterHasTime
    ) -> Repaired | WriterHasTime:
        """After the writer's time: fence and close the ledger if it still relies on a lost bookie,
        and repair it then.

        Not if there is no bookie to replace the lost one: the writer would lose its ledger, and
        nothing be gained.

        Raises:
            NotEnoughBookiesError: as said; or its end cannot be told now.
            As `repair`.
        """
        known = await read_metadata(self._tools.registry, lock.ledger_id)
        last = open_segment(known.metadata)
        if last is not None and last == waited.segment:
            lost = waited.lost - await self._bookies.registered()
            if lost:
                await self._tools.choose(len(lost), last.bookies)
                log.warning("closing ledger %d, which still has %s", lock.ledger_id, sorted(lost))
                digest = LedgerAccess.of(lock.ledger_id, known.metadata).digest
                await recover_ledger(lock.ledger_id, known, digest, self._tools)
        return await self.repair(lock)

    async def _heal(
        self,
        lock: RepairLock,
        known: VersionedMetadata,
        fragment: Fragment,
        silent_are_lost: bool,
    ) -> VersionedMetadata:
        """A bookie that is there: fill in what it lacks, or replace it if that does not help."""
        metadata = known.metadata
        try:
            if await self._is_whole(lock.ledger_id, metadata, fragment):
                return known
            await self.copier.fill(metadata, lock.ledger_id, fragment)
            if await self._is_whole(lock.ledger_id, metadata, fragment):
                return known
        except SilentBookieError:
            if not silent_are_lost:
                raise
        except NotEnoughBookiesError as error:
            log.warning("its own entries cannot be added again, so replaced: %s", error)
        return await self._replace(lock, known, fragment)

    async def _is_whole(self, ledger_id: int, metadata: LedgerMetadata, fragment: Fragment) -> bool:
        ledger = LedgerAccess.of(ledger_id, metadata)
        sample = fragment.sample(self._config.verification_percent)
        for ids in in_batches(sample, self._config.copy_batch_entries):
            if await bad_entries(self._tools, self._config, ledger, fragment.bookie_id, ids):
                return False
        return True

    async def _replace(
        self, lock: RepairLock, known: VersionedMetadata, fragment: Fragment
    ) -> VersionedMetadata:
        metadata = known.metadata
        bookies = ensemble_of(metadata, fragment)
        kept = [b for b in bookies if b != fragment.bookie_id]
        (target,) = await self._tools.choose(1, bookies, kept)
        await self.copier.copy_to(metadata, lock.ledger_id, fragment, target)
        written = await self._replacement.write(lock, known, fragment, target)
        log.info(
            "ledger %d from entry %d: bookie %s has what %s had",
            lock.ledger_id,
            fragment.first_entry_id,
            target,
            fragment.bookie_id,
        )
        return written
