"""After damage to a journal: which ledgers are whole after all, by what metadata says of them.

The metadata of a closed ledger says which entries it has and which bookies have each. Those that
should be here are read; if none is missing, the damage took nothing of the ledger. One that is
still open is left until its writer or its recovery has closed it.
"""

import logging
from collections.abc import Callable, Collection, Iterator
from itertools import pairwise
from typing import Protocol

from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.ledger_metadata import LedgerMetadata
from magnetar_proto.bookie import Status

from magnetar_storage.engine import BookieEngine
from magnetar_storage.readable import count_readable

_log = logging.getLogger(__name__)


class LedgerMetadataReader(Protocol):
    """What the metadata store knows; the ledger registry is one."""

    async def list_ids(self) -> Collection[int]:
        """All ledger ids; raises if the list may not be whole."""

    async def read(self, ledger_id: int) -> tuple[LedgerMetadata, int] | None:
        """A ledger's metadata with its version, or None if there is certainly none.

        Raises:
            MalformedRecordError: there is some that nobody can understand.
        """


def runs_on(metadata: LedgerMetadata, bookie_id: str) -> Iterator[tuple[int, int]]:
    """First and last id of each run of entries that a closed ledger has on a bookie."""
    size, quorum = metadata.ensemble_size, metadata.write_quorum
    bounds = [segment.first_entry_id for segment in metadata.segments]
    for segment, (first, end) in zip(
        metadata.segments, pairwise([*bounds, metadata.last_entry_id + 1]), strict=True
    ):
        if bookie_id not in segment.bookies or first >= end:
            continue
        if size == quorum:
            yield first, end - 1
            continue
        place = segment.bookies.index(bookie_id)
        # Entry e is on the places e to e + quorum - 1, counted round.
        start = first
        for entry_id in range(first, end):
            if (place - entry_id) % size >= quorum:
                if entry_id > start:
                    yield start, entry_id - 1
                start = entry_id + 1
        if start < end:
            yield start, end - 1


class IntegrityCheck:
    """Ends the doubt about ledgers that are whole. One that is not is read once in its life."""

    def __init__(
        self,
        bookie: BookieEngine,
        metadata: LedgerMetadataReader,
        suspect: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Args: `suspect` is told of ledgers of which something is missing."""
        self._bookie = bookie
        self._metadata = metadata
        self._suspect = suspect
        self._incomplete: set[int] = set()
        self._malformed: set[int] = set()

    async def run(self) -> None:
        """Check once; does nothing where there was no damage.

        Raises:
            OutOfUseError: a disk failed, now or before.
            Exception: whatever the metadata raises.
        """
        if not self._bookie.damages:
            return
        doubtful = self._bookie.uncertain_ledgers()
        whole = [each for each in doubtful if await self._is_whole(each)]
        none_lost = self._bookie.uncertain and await self._none_lost()
        if whole or none_lost:
            await self._bookie.certify(whole, unknown=none_lost)
            _log.info("%d ledgers are whole in spite of the journal's damage", len(whole))

    async def _is_whole(self, ledger_id: int) -> bool:
        if ledger_id in self._incomplete:
            return False
        try:
            found = await self._metadata.read(ledger_id)
        except MalformedRecordError as error:
            self._note_malformed(ledger_id, error)
            return False
        if found is None or not found[0].closed or not self._names_us(found[0]):
            return False  # who copies a ledger here names the bookie when all of it is there
        for first, last in runs_on(found[0], self._bookie.bookie_id):
            entry_id = first
            while entry_id <= last:
                status, count = await count_readable(self._bookie, ledger_id, entry_id)
                if status is Status.IO_ERROR:
                    self._incomplete.add(ledger_id)
                    self._suspect(ledger_id)
                    _log.error("ledger %d lost entry %d to damage", ledger_id, entry_id)
                if status is not Status.OK:
                    return False
                entry_id += count
        return True

    async def _none_lost(self) -> bool:
        """Whether all ledgers that should have entries here are known here."""
        listed = await self._metadata.list_ids()
        for ledger_id in set(listed).difference(self._bookie.ledger_ids):
            try:
                found = await self._metadata.read(ledger_id)
            except MalformedRecordError as error:
                self._note_malformed(ledger_id, error)
                return False  # it may be one that should have entries here
            if found is None:
                continue
            metadata = found[0]
            if metadata.closed:
                concerned = next(runs_on(metadata, self._bookie.bookie_id), None) is not None
            else:  # it may just begin, or have been lost: seen when it is closed or has entries
                concerned = self._names_us(metadata)
            if concerned:
                if metadata.closed:
                    self._suspect(ledger_id)
                return False
        return True

    def _note_malformed(self, ledger_id: int, error: MalformedRecordError) -> None:
        """One such record must not keep all other ledgers in doubt, nor fill the log."""
        if ledger_id not in self._malformed:
            self._malformed.add(ledger_id)
            _log.error(
                "ledger %d stays in doubt after damage to a journal, until its metadata is mended:"
                " %s", ledger_id, error,
            )  # fmt: skip

    def _names_us(self, metadata: LedgerMetadata) -> bool:
        return any(self._bookie.bookie_id in each.bookies for each in metadata.segments)
