"""Reads confirmed entries of one ledger, from whichever replica gives a good one."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from magnetar_metadata.ledger_metadata import LedgerMetadata

from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.digest import EntryDigest
from magnetar_ledger.errors import DigestMismatchError, LedgerError, NoSuchEntryError
from magnetar_ledger.metadata_update import VersionedMetadata, read_metadata
from magnetar_ledger.read_race import read_order
from magnetar_ledger.recovery import FixedView, open_view
from magnetar_ledger.replica_reads import read_replicas
from magnetar_ledger.striping import Quorum, segment_index


class FollowedLedger(Protocol):
    """What a reader must know of a ledger that is written in this process: its writer."""

    @property
    def metadata(self) -> LedgerMetadata: ...

    @property
    def last_add_confirmed(self) -> int: ...

    @property
    def length(self) -> int: ...

    def metadata_read(self, found: VersionedMetadata) -> None:
        """Somebody has read how the metadata stands now."""


class LedgerReader:
    """Reads entries up to `last_add_confirmed`."""

    def __init__(
        self,
        ledger_id: int,
        view: FixedView | FollowedLedger,
        digest: EntryDigest,
        tools: ClientTools,
    ) -> None:
        self.ledger_id = ledger_id
        self._view = view
        self._version = -1  # of the metadata that the last `refresh` has found
        self._digest = digest
        self._tools = tools
        self._preferred: int | None = None  # the place in the ensemble that reads begin with

    @property
    def metadata(self) -> LedgerMetadata:
        return self._view.metadata

    @property
    def last_add_confirmed(self) -> int:
        """The last entry that may be read; -1 if there is none."""
        return self._view.last_add_confirmed

    @property
    def length(self) -> int:
        """Payload bytes; of a recovered ledger possibly too many by entries that were cut."""
        return self._view.length

    @property
    def closed(self) -> bool:
        """Whether `last_add_confirmed` is the last entry for good."""
        return self._view.metadata.closed

    async def refresh(self) -> int:
        """Look again how far an open ledger is confirmed, where its entries are, and whether it is
        closed; returns `last_add_confirmed`, which never goes back.

        Also worth a try when reads fail: a ledger's bookies may have been replaced, those of a
        closed one too.

        Raises:
            NotEnoughBookiesError, LedgerMetadataError, NoSuchLedgerError
        """
        known = await read_metadata(self._tools.registry, self.ledger_id)
        if known.metadata.closed or isinstance(self._view, FixedView):
            found = await open_view(self.ledger_id, known, self._digest, self._tools, recover=False)
            if known.version >= self._version:  # else another refresh has looked later
                self._version = known.version
                self._show(found)
        else:
            self._view.metadata_read(known)
        return self.last_add_confirmed

    def _show(self, found: FixedView) -> None:
        view = self._view  # as another refresh may have left it
        if found.last_add_confirmed < view.last_add_confirmed:
            found = FixedView(found.metadata, view.last_add_confirmed, view.length)
        self._view = found

    async def read(self, first_entry_id: int, max_entries: int, max_bytes: int) -> list[bytes]:
        """Payloads of entries that follow on, from `first_entry_id`: at least one.

        Args:
            max_bytes: of entries with their headers; kept except for the first entry.

        Raises:
            NoSuchEntryError: beyond the last confirmed entry, or on none of its replicas.
            EntryUnreadableError: some replica could not say.
            DigestMismatchError: no replica has it as it was written.
        """
        if not 0 <= first_entry_id <= self.last_add_confirmed:
            raise NoSuchEntryError(
                f"entry {self.ledger_id}:{first_entry_id}; the last is {self.last_add_confirmed}"
            )
        quorum = Quorum.of(self.metadata)
        bookies, end = self._segment_of(first_entry_id)
        count = min(max_entries, end - first_entry_id)
        if not quorum.striped or count == 1:
            return await self._read_batch(quorum, bookies, first_entry_id, count, max_bytes)
        count = min(count, self._tools.config.striped_read_entries)
        return await self._read_singly(quorum, bookies, first_entry_id, count, max_bytes)

    def _segment_of(self, entry_id: int) -> tuple[tuple[str, ...], int]:
        """The bookies of an entry's segment, and the end of what may be read from them."""
        segments = self.metadata.segments
        index = segment_index(segments, entry_id)
        end = self.last_add_confirmed + 1
        if index + 1 < len(segments):
            end = min(end, segments[index + 1].first_entry_id)
        return segments[index].bookies, end

    async def _read_batch(
        self,
        quorum: Quorum,
        bookies: Sequence[str],
        first_entry_id: int,
        max_entries: int,
        max_bytes: int,
    ) -> list[bytes]:
        """From the first replica that gives it."""
        sticky = self._tools.config.sticky_reads and not quorum.striped
        order = read_order(
            quorum.write_set(first_entry_id),
            bookies,
            preferred=self._preferred if sticky else None,
            shunned=self._tools.quarantined(),
        )
        place, payloads = await read_replicas(
            self._tools,
            self.ledger_id,
            bookies,
            order,
            first_entry_id,
            max_entries,
            max_bytes,
            partial(self._payloads, first_entry_id),
        )
        self._preferred = place
        return payloads

    def _payloads(self, first_entry_id: int, entries: Sequence[bytes]) -> list[bytes]:
        """The payloads before the first bad entry, of which there must be one."""
        payloads: list[bytes] = []
        for entry_id, entry in enumerate(entries, first_entry_id):
            try:
                payloads.append(self._digest.payload_of(entry, self.ledger_id, entry_id))
            except DigestMismatchError:
                if not payloads:
                    raise
                break  # the next read begins with it and asks the other replicas
        return payloads

    async def _read_singly(
        self,
        quorum: Quorum,
        bookies: Sequence[str],
        first_entry_id: int,
        count: int,
        max_bytes: int,
    ) -> list[bytes]:
        """Every entry from its own write set, all at once; up to the first that fails."""
        ids = range(first_entry_id, first_entry_id + count)
        results = await asyncio.gather(
            *(self._read_batch(quorum, bookies, e, 1, max_bytes) for e in ids),
            return_exceptions=True,
        )
        payloads: list[bytes] = []
        total = 0
        for result in results:
            if isinstance(result, BaseException):
                if payloads and isinstance(result, LedgerError):
                    break
                raise result
            total += len(result[0])
            if payloads and total > max_bytes:
                break
            payloads.append(result[0])
        return payloads
