"""Recovery of an unclosed ledger, and a look at its LAC without: shells of `recovery_core`."""

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from magnetar_metadata.ledger_metadata import LedgerMetadata, LedgerState, Segment
from magnetar_proto.bookie import FENCE, HIGH_PRIORITY, LAST_ENTRY, RECOVERY_ADD, Status

from magnetar_ledger.bookie_calls import read_bookie, start_read
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.digest import EntryDigest, length_of, master_key
from magnetar_ledger.errors import (
    DigestMismatchError,
    LedgerClosedError,
    LedgerError,
    LedgerMetadataError,
)
from magnetar_ledger.explicit_lac import read_lacs
from magnetar_ledger.metadata_update import VersionedMetadata, update_metadata
from magnetar_ledger.quorum_core import QuorumCore
from magnetar_ledger.quorum_writer import QuorumWriter
from magnetar_ledger.recovery_core import (
    AddAgain,
    BeginAdds,
    Effect,
    Fail,
    Finish,
    LacCore,
    ReadEntries,
    ReadLac,
    RecoveryCore,
)
from magnetar_ledger.striping import Quorum, segment_index, with_segment

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FixedView:
    """A ledger as it was when it was opened."""

    metadata: LedgerMetadata
    last_add_confirmed: int
    length: int


async def open_view(
    ledger_id: int,
    known: VersionedMetadata,
    digest: EntryDigest,
    tools: ClientTools,
    *,
    recover: bool,
) -> FixedView:
    """A ledger as it is now: closed, if `recover` says so; else as far as it is confirmed.

    Raises:
        NotEnoughBookiesError, UnauthorizedLedgerError, LedgerMetadataError, NoSuchLedgerError
    """
    metadata = known.metadata
    if recover and not metadata.closed:
        metadata = await recover_ledger(ledger_id, known, digest, tools)
    if metadata.closed:
        return FixedView(metadata, metadata.last_entry_id, metadata.length)
    return await read_last_add_confirmed(ledger_id, metadata, digest, tools)


async def recover_ledger(
    ledger_id: int, known: VersionedMetadata, digest: EntryDigest, tools: ClientTools
) -> LedgerMetadata:
    """Close a ledger where its writer left it, fencing the writer. Returns the closed metadata.

    Raises:
        NotEnoughBookiesError: its end cannot be told now; the ledger stays IN_RECOVERY.
        UnauthorizedLedgerError, LedgerMetadataError, NoSuchLedgerError
    """
    # From here on the writer cannot add a segment: its update finds IN_RECOVERY and stops.
    known = await update_metadata(tools.registry, ledger_id, known, _recovery_change, tools.config)
    start = known.metadata
    if start.closed:
        return start
    run = _RecoveryRun(ledger_id, start, digest, tools)
    finish = await run.finished()
    length = finish.length
    if not finish.exact:
        noted = await _length_at(ledger_id, start, finish.last_entry_id, digest, tools, run.doubted)
        length = _guessed_length(ledger_id, finish) if noted is None else noted

    def change(found: LedgerMetadata) -> LedgerMetadata | None:
        if found.closed:
            return None  # another recoverer was quicker, and what it wrote holds
        if found.state is not LedgerState.IN_RECOVERY or found.segments[-1] != start.segments[-1]:
            raise LedgerMetadataError(f"ledger {ledger_id} changed while it was recovered")
        segments = found.segments
        for segment in run.new_segments:
            segments = with_segment(segments, segment)
        return replace(
            found,
            state=LedgerState.CLOSED,
            last_entry_id=finish.last_entry_id,
            length=length,
            segments=segments,
        )

    known = await update_metadata(tools.registry, ledger_id, known, change, tools.config)
    return known.metadata


async def read_last_add_confirmed(
    ledger_id: int, metadata: LedgerMetadata, digest: EntryDigest, tools: ClientTools
) -> FixedView:
    """What the bookies know as confirmed, without disturbing the writer.

    Raises:
        NotEnoughBookiesError
    """
    core = LacCore(ledger_id, metadata, digest)
    timeout_ms = tools.config.read_timeout_ms
    bookies = [tools.bookies.bookie(bookie) for bookie in metadata.segments[-1].bookies]
    reads = [read_bookie(bookie, ledger_id, LAST_ENTRY, 1, 0, timeout_ms) for bookie in bookies]
    lacs, answers = await asyncio.gather(
        read_lacs(bookies, ledger_id, timeout_ms), asyncio.gather(*reads)
    )
    for index, (status, entries) in enumerate(answers):
        if error := core.answered(index, status, entries):
            raise error
    for body in lacs:
        core.told(body)
    length = core.lengths.at(core.last_add_confirmed)
    return FixedView(metadata, core.last_add_confirmed, length.bytes)


def _recovery_change(found: LedgerMetadata) -> LedgerMetadata | None:
    if found.state is LedgerState.OPEN:
        return replace(found, state=LedgerState.IN_RECOVERY)
    return None  # closed: nothing to do; or another recoverer is at it: several may


async def _length_at(
    ledger_id: int,
    metadata: LedgerMetadata,
    last: int,
    digest: EntryDigest,
    tools: ClientTools,
    doubted: Collection[int],
) -> int | None:
    """The ledger length that the last entry itself noted; None if nobody tells it."""
    bookies = metadata.segments[segment_index(metadata.segments, last)].bookies
    write_set = Quorum.of(metadata).write_set(last)
    for index in sorted(write_set, key=lambda place: place in doubted):
        bookie = tools.bookies.bookie(bookies[index])
        timeout_ms = tools.config.read_timeout_ms
        status, entries = await read_bookie(bookie, ledger_id, last, 1, 0, timeout_ms)
        if status is not Status.OK or not entries:
            continue
        try:
            digest.payload_of(entries[0], ledger_id, last)
        except DigestMismatchError:
            continue
        return length_of(entries[0])
    return None


def _guessed_length(ledger_id: int, finish: Finish) -> int:
    # Scenario: the last segment is empty, or its last entry cut, and the bookies of the entry at
    # the end are all down; nobody else knows the length there. Who waits for them leaves a topic
    # without a broker, for good if they are lost. So the ledger is closed: where it ends is
    # certain. BookKeeper does the same.
    _log.warning(
        "ledger %d is closed at entry %d with a length that is a guess, %d bytes: "
        "no bookie that has this entry answers",
        ledger_id,
        finish.last_entry_id,
        finish.length,
    )
    return finish.length


class _RecoveryRun:
    """Does the effects of a RecoveryCore. All reads go to the ensemble as it was at the start."""

    def __init__(
        self, ledger_id: int, metadata: LedgerMetadata, digest: EntryDigest, tools: ClientTools
    ) -> None:
        config = tools.config
        self._ledger_id = ledger_id
        self._metadata = metadata
        self._digest = digest
        self._tools = tools
        self._key = master_key(metadata.password)
        # Not the ensemble that re-adds may have changed: a new bookie would answer "no such entry"
        # for an entry that only the old ones have, and the ledger would be closed short.
        self._bookies = [tools.bookies.bookie(b) for b in metadata.segments[-1].bookies]
        self._core = RecoveryCore(
            ledger_id,
            metadata,
            digest,
            batch_entries=config.recovery_batch_entries,
            pending_entries=config.recovery_pending_entries,
        )
        self._writer: RecoveryWriter | None = None
        self._finished: asyncio.Future[Finish] = asyncio.get_running_loop().create_future()

    @property
    def new_segments(self) -> Sequence[Segment]:
        return () if self._writer is None else self._writer.new_segments

    @property
    def doubted(self) -> Collection[int]:
        """Places of the last ensemble that did not answer when they were asked last."""
        return self._core.doubted

    async def finished(self) -> Finish:
        try:
            self._do(self._core.start())
            return await self._finished
        finally:
            if self._writer is not None:
                self._writer.stop()

    def entries_confirmed(self, first_entry_id: int, count: int) -> None:
        self._do(self._core.adds_confirmed(first_entry_id + count - 1))

    def writer_failed(self, error: LedgerError) -> None:
        self._fail(error)

    def _do(self, effects: Sequence[Effect]) -> None:
        waiting = deque(effects)
        while waiting and not self._finished.done():
            match waiting.popleft():
                case ReadLac(index):
                    self._read_lac(index)
                case ReadEntries() as read:
                    self._read_entries(read)
                case BeginAdds(last_entry_id, length):
                    self._begin_adds(last_entry_id, length)
                case AddAgain(entry_id, payload, length):
                    assert self._writer is not None
                    self._writer.add_again(entry_id, payload, length)
                case Finish() as finish:
                    self._finished.set_result(finish)
                case Fail(error):
                    self._fail(error)

    def _fail(self, error: LedgerError) -> None:
        if not self._finished.done():
            self._finished.set_exception(error)

    def _read_lac(self, index: int) -> None:
        def done(status: Status, entries: Sequence[bytes]) -> None:
            self._do(self._core.lac_answered(index, status, entries))

        start_read(
            self._bookies[index],
            self._ledger_id,
            LAST_ENTRY,
            1,
            0,
            flags=FENCE,
            master_key=self._key,
            timeout_ms=self._tools.config.read_timeout_ms,
            done=done,
        )

    def _read_entries(self, read: ReadEntries) -> None:
        def done(status: Status, entries: Sequence[bytes]) -> None:
            self._do(self._core.entries_answered(read.index, status, entries))

        # With FENCE, as a read may reach a bookie that no LAC read has (BookKeeper issue 2614).
        # Ack quorum 2 of A, B, C: 1. the writer's add reaches C only, which acknowledges. 2. The
        # LAC reads reach A and C: enough. 3. We read the entry as absent on A and B: certain.
        # 4. The add reaches B. Unfenced, B would acknowledge, and the writer report what we cut.
        start_read(
            self._bookies[read.index],
            self._ledger_id,
            read.first_entry_id,
            read.max_entries,
            self._tools.config.recovery_batch_bytes,
            flags=FENCE | HIGH_PRIORITY,
            master_key=self._key,
            timeout_ms=self._tools.config.read_timeout_ms,
            done=done,
        )

    def _begin_adds(self, last_entry_id: int, length: int) -> None:
        core = QuorumCore(
            self._ledger_id,
            Quorum.of(self._metadata),
            self._metadata.segments[-1].bookies,
            self._digest,
            last_entry_id=last_entry_id,
            length=length,
        )
        self._writer = RecoveryWriter(core, self._key, self._tools)
        self._writer.sink = self


class RecoveryWriter(QuorumWriter):
    """Adds found entries again. A failing bookie is replaced in this object only: metadata gets
    the new segments with the CLOSED state or not at all."""

    def __init__(self, core: QuorumCore, key: bytes, tools: ClientTools) -> None:
        super().__init__(core, key, RECOVERY_ADD | HIGH_PRIORITY, tools)
        self.new_segments: tuple[Segment, ...] = ()

    def add_again(self, entry_id: int, payload: bytes, length: int) -> None:
        """Add an entry under the id it had. After a failure it is dropped: `sink` knows."""
        if self._ended is not None:
            return
        header = self._core.push_recovered(payload, length)
        assert self._core.last_pushed == entry_id
        self._send(entry_id, (header,), (payload,))

    def stop(self) -> None:
        """Recovery is over, or given up."""
        if self._ended is None:
            self._stop(LedgerClosedError(f"recovery of ledger {self.ledger_id} is over"))

    async def _write_segment(self, segment: Segment) -> None:
        before = self.new_segments
        self.new_segments = with_segment(before, segment) if before else (segment,)
