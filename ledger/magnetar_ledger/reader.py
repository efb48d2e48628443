"""Reads confirmed entries of one ledger, from whichever replica gives a good one."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from magnetar_metadata.ledger_metadata import LedgerMetadata
from magnetar_proto.bookie import Status

from magnetar_ledger.bookie_calls import read_bookie
from magnetar_ledger.bookie_pool import BookiePool
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.digest import EntryDigest
from magnetar_ledger.errors import (
    DigestMismatchError,
    EntryUnreadableError,
    LedgerError,
    NoSuchEntryError,
)
from magnetar_ledger.striping import Quorum, segment_index


class LedgerView(Protocol):
    """What a reader must know of the ledger; a writer is one."""

    @property
    def metadata(self) -> LedgerMetadata: ...

    @property
    def last_add_confirmed(self) -> int: ...

    @property
    def length(self) -> int: ...


class LedgerReader:
    """Reads entries up to `last_add_confirmed`."""

    def __init__(
        self,
        ledger_id: int,
        view: LedgerView,
        digest: EntryDigest,
        bookies: BookiePool,
        config: LedgerClientConfig,
    ) -> None:
        self.ledger_id = ledger_id
        self._view = view
        self._digest = digest
        self._bookies = bookies
        self._config = config

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
        count = min(count, self._config.striped_read_entries)
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
        """From one replica after the other, in the order of the write set."""
        failures: list[LedgerError] = []
        for index in quorum.write_set(first_entry_id):
            try:
                return await self._read_replica(
                    bookies[index], first_entry_id, max_entries, max_bytes
                )
            except LedgerError as error:
                failures.append(error)
        raise _worst(failures)

    async def _read_replica(
        self, bookie_id: str, first_entry_id: int, max_entries: int, max_bytes: int
    ) -> list[bytes]:
        status, entries = await read_bookie(
            self._bookies.bookie(bookie_id),
            self.ledger_id,
            first_entry_id,
            max_entries,
            max_bytes,
            self._config.read_timeout_ms,
        )
        if status in (Status.NO_ENTRY, Status.NO_LEDGER):
            raise NoSuchEntryError(f"{bookie_id} has no entry {self.ledger_id}:{first_entry_id}")
        if status is not Status.OK or not entries:
            raise EntryUnreadableError(
                f"{bookie_id} answered {status.name} for entry {self.ledger_id}:{first_entry_id}"
            )
        return self._payloads(first_entry_id, entries[:max_entries])

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


def _worst(failures: Sequence[LedgerError]) -> LedgerError:
    """What to say when all replicas failed: "missing" only if each of them was certain."""
    for kind in (EntryUnreadableError, DigestMismatchError, NoSuchEntryError):
        for failure in failures:
            if isinstance(failure, kind):
                return failure
    raise AssertionError("a read without replicas")
