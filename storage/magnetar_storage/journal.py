"""The journal: what is added becomes durable in groups, one sync for all that waits.

There is no timer. The first record of a loop turn schedules a group for the end of the turn; while
its sync runs, what comes in waits, and all of it makes the next group. One group is in flight.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from functools import partial
from itertools import chain
from struct import Struct
from typing import Protocol

from magnetar_proto.bookie import AddSink, Status
from magnetar_runtime.clock import Clock
from magnetar_runtime.disk import File, Worker

from magnetar_storage.counters import BookieCounters
from magnetar_storage.journal_files import JournalFile, JournalFiles
from magnetar_storage.journal_format import (
    FILE_HEADER_BYTES,
    GROUP_HEADER_BYTES,
    GroupFlag,
    JournalMark,
    KeyHead,
    RecordKind,
    encode_group,
    group_size,
)
from magnetar_storage.journal_group import Durable, JournalGroup
from magnetar_storage.journal_supply import JournalSupply
from magnetar_storage.write_cache import ENTRY_OVERHEAD_BYTES

_log = logging.getLogger(__name__)
_LEDGER = Struct(">Q")


class JournalOwner(Protocol):
    """Who is told what happens to a journal."""

    def journal_settled(self) -> None:
        """A group is durable and its adds were completed: fewer bytes wait."""

    def journal_failed(self, error: BaseException) -> None:
        """Nothing more will become durable. Told once, before the waiting adds are."""


class Journal:
    """One journal directory.

    Attributes:
        files: where its files are.
        waiting_bytes: of records that are not durable yet.
        synced: everything before this mark is durable.
    """

    def __init__(
        self,
        files: JournalFiles,
        file_bytes: int,
        *,
        worker: Worker,
        housekeeper: Worker,
        clock: Clock,
        rng: random.Random,
        loop: asyncio.AbstractEventLoop,
        counters: BookieCounters,
        owner: JournalOwner,
        seal_after_ms: int = 0,
    ) -> None:
        """Args:
        worker: writes and syncs groups.
        housekeeper: prepares and retires files.
        seal_after_ms: so long after the last group an empty one follows; 0 is never. Damage to the
            last group cannot be told from a torn write, and its entries would be called absent;
            behind it stands a group then that says it was durable.
        """
        self.files = files
        self.supply = JournalSupply(
            files, worker, housekeeper, rng, ready=self._file_ready, failed=self.fail
        )
        self._file_bytes = file_bytes
        self._worker = worker
        self._clock = clock
        self._loop = loop
        self._counters = counters
        self._owner = owner
        self.waiting_bytes = 0
        self.synced = JournalMark(0, 0, 0)
        self._short_of_room = False
        self._group = JournalGroup()
        self._in_flight: JournalGroup | None = None
        self._scheduled = False
        self._failed = False
        self._drained: asyncio.Future[None] | None = None
        self._seal_after_s = seal_after_ms / 1000
        self._seal_timer: asyncio.TimerHandle | None = None
        self._sealed = -1  # nothing is behind the group before this sequence

    @property
    def failed(self) -> bool:
        """Nothing becomes durable any more."""
        return self._failed

    async def begin(self, number: int, sequence: int, oldest_number: int) -> None:
        """Begin a new file; the first group will have this sequence."""
        file = await self.supply.begin(number, oldest_number, self._file_bytes)
        self.synced = JournalMark(file.header.number, FILE_HEADER_BYTES, sequence)

    def append(
        self,
        headers: Sequence[bytes],
        payloads: Sequence[bytes],
        size: int,
        sink: AddSink,
        entry_ids: Sequence[int],
    ) -> None:
        """Add entries of `size` bytes in all; their end is told to the sink."""
        group = self._group
        if len(headers) == 1:
            group.parts += (headers[0], payloads[0])
        else:
            group.parts.extend(chain.from_iterable(zip(headers, payloads, strict=True)))
        group.size += size
        self.waiting_bytes += size
        row = group.rows.get(id(sink))
        if row is None:
            row = group.rows[id(sink)] = (sink, [])
        row[1].extend(entry_ids)
        if not self._scheduled:
            self._schedule()

    def append_key(self, head: KeyHead, master_key: bytes) -> None:
        """Add a ledger's master key; it is durable before any entry added later is."""
        self._append_control(RecordKind.LEDGER_KEY, head.encode(), master_key)

    def append_fence(self, ledger_id: int, durable: Durable) -> None:
        """Add a fence and tell when it is durable, or cannot become so."""
        self._group.waiters.append(durable)
        self._append_control(RecordKind.FENCE, _LEDGER.pack(ledger_id), b"")

    def append_explicit_lac(self, ledger_id: int, body: bytes, durable: Durable) -> None:
        """Add what a writer told and tell when it is durable, or cannot become so."""
        self._group.waiters.append(durable)
        self._append_control(RecordKind.EXPLICIT_LAC, _LEDGER.pack(ledger_id), body)

    def force(self, durable: Durable) -> None:
        """Tell when all that was added before is durable, or cannot become so."""
        if self._group.parts and not self._failed:
            self._group.waiters.append(durable)
        elif self._in_flight is not None:
            self._in_flight.waiters.append(durable)
        else:
            self._loop.call_soon(durable, Status.IO_ERROR if self._failed else Status.OK)

    def retire_before(self, mark: JournalMark) -> None:
        """Take files away that lie wholly before a mark that is in the index."""
        if not self._failed:
            self.supply.retire_before(mark.number)

    def fail(self, error: BaseException) -> None:
        """Stop for good: all that waits, and all that may still come, ends with IO_ERROR."""
        if self._failed:
            return
        self._failed = True
        self._owner.journal_failed(error)
        if self._in_flight is None:
            self._give_up()

    async def drain(self) -> None:
        """Wait until nothing waits any more. What is added later is not sealed."""
        self._seal_after_s = 0.0
        while self._in_flight is not None or self._group.parts:
            self._drained = self._loop.create_future()
            await self._drained

    async def close(self) -> None:
        """Mark the clean end and close the files. Nothing may be waiting."""
        assert self._in_flight is None
        assert not self._group.parts
        try:
            await self.supply.close(None if self._failed else self._mark_end)
        except OSError as error:
            if not self._failed:
                raise
            _log.warning("a journal that failed cannot be closed: %s", error)

    async def _mark_end(self, current: JournalFile) -> None:
        mark, file_id = self.synced, current.header.file_id
        vector = encode_group(file_id, mark.sequence, b"", [], GroupFlag.CLEAN_END)
        await self._worker.run(partial(_write, current.file, mark.offset, vector, self._clock))

    def _append_control(self, kind: RecordKind, head: bytes, payload: bytes) -> None:
        group = self._group
        group.controls.append((len(group.parts) // 2, kind))
        group.parts += (head, payload)
        if not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        # Also while a group is in flight or room is missing: the flag then only says that somebody
        # will look at what waits.
        self._scheduled = True
        if self._in_flight is None:
            self._loop.call_soon(self._start_group)

    def _start_group(self) -> None:
        if self._failed and self._in_flight is None:
            self._give_up()
        if self._in_flight is not None or not self._group.parts:
            return
        group = self._group
        size = group_size(len(group.parts) // 2, sum(map(len, group.parts)))
        if not self._make_room(size):
            return
        self._group = JournalGroup()
        self._scheduled = False
        self._submit(group, size)

    def _submit(self, group: JournalGroup, size: int) -> None:
        assert self.supply.current is not None
        file, mark = self.supply.current, self.synced
        vector = encode_group(file.header.file_id, mark.sequence, group.kinds(), group.parts)
        end = JournalMark(mark.number, mark.offset + size, mark.sequence + 1)
        self._in_flight = group
        self._worker.submit(
            partial(_write, file.file, mark.offset, vector, self._clock),
            partial(self._group_ended, end),
        )
        if end.offset > file.header.length // 2:
            self.supply.prepare(self._file_bytes)

    def _group_ended(self, end: JournalMark, sync_ns: int, error: BaseException | None) -> None:
        group = self._in_flight
        assert group is not None
        self._in_flight = None
        if error is not None:
            self._in_flight = group
            self.fail(error)
            self._give_up()
            return
        if self._failed:
            self._in_flight = group
            self._give_up()
            return
        adds = len(group.parts) // 2 - len(group.controls)
        self._counters.adds += adds
        self._counters.add_bytes += group.size - adds * ENTRY_OVERHEAD_BYTES
        self._counters.journal_synced(sync_ns, end.offset - self.synced.offset)
        self.synced = end
        # First the next group, then the completions: the disk works while the loop settles.
        self._start_group()
        self._settle(group, Status.OK)
        self._owner.journal_settled()
        if self._seal_timer is None and self._in_flight is None:
            self._await_seal()

    def _await_seal(self) -> None:
        sequence = self.synced.sequence
        if self._seal_after_s and sequence != self._sealed:
            self._seal_timer = self._loop.call_later(self._seal_after_s, self._seal, sequence)

    def _seal(self, sequence: int) -> None:
        """Write an empty group, if none was written since this sequence."""
        self._seal_timer = None
        if not self._seal_after_s or self._failed or self._in_flight is not None:
            return  # the end of what is in flight looks again
        if sequence != self.synced.sequence or self._group.parts:
            self._await_seal()
            return
        supply = self.supply
        assert supply.current is not None
        # It must leave room for the end marker; a file is not begun for it.
        if self.synced.offset + 2 * GROUP_HEADER_BYTES <= supply.current.header.length:
            self._sealed = sequence + 1
            self._submit(JournalGroup(), GROUP_HEADER_BYTES)

    def _settle(self, group: JournalGroup, status: Status) -> None:
        self.waiting_bytes -= group.size
        group.complete(self._loop, status)
        if self._drained is not None and self._in_flight is None and not self._group.parts:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None

    def _give_up(self) -> None:
        """After a failure: tell all that wait that their end is unknown."""
        flown, self._in_flight = self._in_flight, None
        waiting, self._group = self._group, JournalGroup()
        self._scheduled = False
        for group in (flown, waiting):
            if group is not None:
                self._settle(group, Status.IO_ERROR)

    def _make_room(self, size: int) -> bool:
        """Have a file with room for a group and the end marker; False if it must be waited for."""
        needed = size + GROUP_HEADER_BYTES
        supply = self.supply
        assert supply.current is not None
        if self.synced.offset + needed <= supply.current.header.length:
            return True
        if (file := supply.advance()) is not None:
            number, sequence = file.header.number, self.synced.sequence
            self.synced = JournalMark(number, FILE_HEADER_BYTES, sequence)
            # A file that is too small even for one group stays empty, which replay understands.
            return self._make_room(size)
        self._short_of_room = True
        supply.prepare(max(self._file_bytes, FILE_HEADER_BYTES + needed))
        return False

    def _file_ready(self) -> None:
        if self._short_of_room:
            self._short_of_room = False
            self._start_group()


def _write(file: File, offset: int, vector: list[bytes], clock: Clock) -> int:
    """On the worker: make a group durable; returns how long the sync took."""
    file.write_at(offset, vector)
    before = clock.monotonic_ns()
    file.sync()
    return clock.monotonic_ns() - before
