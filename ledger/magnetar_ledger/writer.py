"""The writer of one ledger: appends entries, changes the ensemble, closes."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from magnetar_metadata.ledger_metadata import LedgerMetadata, LedgerState, Segment
from magnetar_proto.bookie import Status

from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.digest import EntryDigest, master_key
from magnetar_ledger.errors import (
    LedgerClosedError,
    LedgerError,
    LedgerFencedError,
    UnauthorizedLedgerError,
)
from magnetar_ledger.lac_keeper import keepers
from magnetar_ledger.metadata_update import VersionedMetadata, update_metadata
from magnetar_ledger.quorum_core import QuorumCore
from magnetar_ledger.quorum_writer import QuorumWriter, WriterSink
from magnetar_ledger.reader import LedgerReader
from magnetar_ledger.striping import Quorum, with_segment

__all__ = ["LedgerWriter", "WriterSink"]


def _lac_kept(status: Status, body: bytes | None) -> None:
    """A hint for readers: without it they see the entry when the next one comes."""


class LedgerWriter(QuorumWriter):
    """Appends to a ledger that this client has made. Set `sink` before the first `add`."""

    def __init__(
        self,
        ledger_id: int,
        known: VersionedMetadata,
        tools: ClientTools,
        flags: int = 0,
    ) -> None:
        """Args: `flags` of its adds."""
        metadata = known.metadata
        self._known = known
        self._tools = tools
        self._attempted: set[Segment] = set()  # written, but nobody knows whether they stand there
        self._metadata_lock = asyncio.Lock()  # one update at a time: change or close
        self._digest = EntryDigest.of(metadata.digest_type, metadata.password)
        ensemble = metadata.segments[-1].bookies
        core = self._make_core(ledger_id, Quorum.of(metadata), ensemble, self._digest)
        super().__init__(core, master_key(metadata.password), flags, tools)
        self._told_lac = -1
        self._lac_timer: asyncio.TimerHandle | None = None
        self._start_lac_timer()

    @staticmethod
    def _make_core(
        ledger_id: int, quorum: Quorum, ensemble: Sequence[str], digest: EntryDigest
    ) -> QuorumCore:
        return QuorumCore(ledger_id, quorum, ensemble, digest)

    @property
    def metadata(self) -> LedgerMetadata:
        return self._known.metadata

    @property
    def closed(self) -> bool:
        return self.metadata.closed

    def reader(self) -> LedgerReader:
        """Reads what is confirmed, while this writer goes on."""
        return LedgerReader(self.ledger_id, self, self._digest, self._tools)

    def metadata_read(self, found: VersionedMetadata) -> None:
        """From its reader: repair may have moved the entries of earlier segments.

        What else can stand there only this writer's own updates may find: an attempt of its own
        that is under way, or that another client has the ledger now.
        """
        same_end = found.metadata.segments[-1] == self.metadata.segments[-1]
        if same_end and found.version > self._known.version:
            self._known = found

    async def force(self) -> None:
        """Make durable what is written. Here that is so before an entry is confirmed; see
        `create(deferred_sync=True)`.

        Raises:
            LedgerError: what ended the writer.
        """

    async def close(self) -> LedgerMetadata:
        """Close the ledger at the last confirmed entry and return its metadata.

        Entries still pending have failed; `sink` is told. A second call returns the same.

        Raises:
            LedgerFencedError: another client recovers the ledger or has closed it.
            LedgerMetadataError, NoSuchLedgerError
        """
        self._end(LedgerClosedError(f"ledger {self.ledger_id} is closed"))
        if isinstance(self._ended, LedgerFencedError | UnauthorizedLedgerError):
            raise self._ended.with_traceback(None)
        async with self._metadata_lock:
            self._known = await update_metadata(
                self._tools.registry,
                self.ledger_id,
                self._known,
                self._close_change,
                self._tools.config,
            )
        return self.metadata

    def _stop(self, error: LedgerError) -> int:
        if self._lac_timer is not None:
            self._lac_timer.cancel()
        return super()._stop(error)

    def _start_lac_timer(self) -> None:
        if interval_ms := self._tools.config.explicit_lac_interval_ms:
            loop = asyncio.get_running_loop()
            self._lac_timer = loop.call_later(interval_ms / 1000, self._tell_lac)

    def _tell_lac(self) -> None:
        """To bookies, if no entry does."""
        self._start_lac_timer()
        lac = self.last_add_confirmed
        if lac == self._told_lac or self._entries_carry_lac():
            return
        self._told_lac = lac
        body = self._digest.lac_body(self.ledger_id, lac)
        for keeper in keepers([replica.bookie for replica in self._live]):
            keeper.write_lac(self.ledger_id, lac, self._master_key, body, _lac_kept)

    def _entries_carry_lac(self) -> bool:
        """Whether an entry is on its way that could carry it."""
        return self.last_add_confirmed + 1 < self.entries_pushed

    async def _write_segment(self, segment: Segment) -> None:
        def change(found: LedgerMetadata) -> LedgerMetadata | None:
            if self._ended is not None:
                raise self._ended.with_traceback(None)
            self._check_open(found)
            if found.segments[-1] == segment and self._attempted == {segment}:
                return None  # an earlier attempt of unknown outcome had succeeded
            # Else a write even if it changes nothing: it makes the version of an attempt with
            # another segment, which may still be under way, an old one.
            self._check_last_segment(found)
            return replace(found, segments=with_segment(found.segments, segment))

        # Only when the new segment is in metadata are later entries confirmed on its new bookies:
        # a writer that crashed in between would leave them where nobody looks (BookKeeper issue
        # 1591).
        async with self._metadata_lock:
            self._attempted.add(segment)
            self._known = await update_metadata(
                self._tools.registry, self.ledger_id, self._known, change, self._tools.config
            )
            self._attempted.clear()  # a late write would meet another version

    def _close_change(self, found: LedgerMetadata) -> LedgerMetadata | None:
        last, length = self.last_add_confirmed, self.length
        if found.closed and (found.last_entry_id, found.length) == (last, length):
            return None
        self._check_open(found)
        return replace(found, state=LedgerState.CLOSED, last_entry_id=last, length=length)

    def _check_open(self, found: LedgerMetadata) -> None:
        # Closing a ledger that is IN_RECOVERY would go well only as far as the fence has got.
        if found.state is not LedgerState.OPEN:
            raise LedgerFencedError(f"ledger {self.ledger_id} is {found.state.name}")

    def _check_last_segment(self, found: LedgerMetadata) -> None:
        # Others may move earlier segments to new bookies while we write, never the one we write.
        last = found.segments[-1]
        if last != self.metadata.segments[-1] and last not in self._attempted:
            raise LedgerFencedError(f"ledger {self.ledger_id}: another client changed its ensemble")
