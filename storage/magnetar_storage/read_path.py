"""Reads: write cache, then blocks read lately, then index and entry log.

A request walks forward over the ids it wants, from whichever place has the newest entry, and waits
only when a block must come from the disk. It ends at the first id that is nowhere.
"""

import asyncio
import logging
from dataclasses import dataclass
from functools import partial

from magnetar_proto.bookie import LAST_ENTRY, ReadSink, Status

from magnetar_storage.counters import BookieCounters
from magnetar_storage.entry_log import BlockCache, EntryLogReaders
from magnetar_storage.entry_log_format import Block
from magnetar_storage.errors import EntryLogFormatError
from magnetar_storage.ledger_records import NO_ENTRIES, LedgerRecords
from magnetar_storage.location_index import LocationIndex, Row
from magnetar_storage.suspects import Suspects
from magnetar_storage.write_cache import WriteCache

_log = logging.getLogger(__name__)
_ENDS_KEPT = 1024

_Place = tuple[int, int]


class ReadRequest:
    """One read under way: what is still wanted and what was found."""

    __slots__ = (
        "bytes_left",
        "bytes_taken",
        "context",
        "entries",
        "entries_left",
        "first_entry",
        "ledger_id",
        "next_entry",
        "sequential",
        "sink",
    )

    def __init__(
        self,
        ledger_id: int,
        first_entry: int,
        max_entries: int,
        max_bytes: int,
        sink: ReadSink,
        context: int,
    ) -> None:
        self.ledger_id = ledger_id
        self.first_entry = first_entry
        self.next_entry = first_entry
        self.entries_left = max_entries
        self.bytes_left = max_bytes
        self.bytes_taken = 0
        self.entries: list[bytes] = []
        self.sequential = False
        self.sink = sink
        self.context = context

    def take(self, entries: list[bytes]) -> None:
        """Entries that follow on."""
        self.entries += entries
        self.next_entry += len(entries)
        self.entries_left -= len(entries)
        size = sum(map(len, entries))
        self.bytes_left -= size
        self.bytes_taken += size

    @property
    def full(self) -> bool:
        return bool(self.entries) and (self.entries_left <= 0 or self.bytes_left <= 0)


@dataclass(slots=True)
class ReadSources:
    """Where entries may be."""

    records: LedgerRecords
    write_cache: WriteCache
    index: LocationIndex
    logs: EntryLogReaders
    blocks: BlockCache


class ReadPath:
    """All reads of an engine.

    Attributes:
        pending: reads that have not ended.
        damages: how often the journal was found damaged; a ledger of which fewer are checked may
            have lost entries.
        unknown_checked: how many of them took no ledger that is unknown here.
    """

    def __init__(
        self,
        sources: ReadSources,
        read_ahead_blocks: int,
        loop: asyncio.AbstractEventLoop,
        counters: BookieCounters,
        suspects: Suspects,
    ) -> None:
        self._sources = sources
        self._read_ahead_blocks = read_ahead_blocks
        self._loop = loop
        self._counters = counters
        self._suspects = suspects
        self.damages = 0
        self.unknown_checked = 0
        self.pending = 0
        self._ended: list[tuple[ReadRequest, Status]] = []
        self._loading: dict[_Place, list[ReadRequest]] = {}
        self._drained: asyncio.Future[None] | None = None
        self._ends: dict[tuple[int, int], None] = {}

    def start(self, request: ReadRequest) -> None:
        """Answer a read, never within this call."""
        self.pending += 1
        self._counters.reads += 1
        end = (request.ledger_id, request.first_entry)
        if end in self._ends:
            del self._ends[end]
            request.sequential = True
        if request.first_entry == LAST_ENTRY and not self._find_last(request):
            self._end(request, self._absent(request.ledger_id))
            return
        self._advance(request, None, None)

    def refuse(self, request: ReadRequest, status: Status) -> None:
        """End a read with an error, never within this call."""
        self.pending += 1
        self._end(request, status)

    def _advance(self, request: ReadRequest, place: _Place | None, block: Block | None) -> None:
        """Go on as far as memory has it; `block` was just loaded from `place` for this request.

        It is handed over, not looked up: the cache may be too small to have kept it.
        """
        sources = self._sources
        while not request.full:
            if self._take_cached(request):
                continue
            entry_id = request.next_entry
            row = sources.index.floor(request.ledger_id, entry_id)
            if row is None or row.last_entry < entry_id:
                break
            at = (row.log_id, row.offset)
            found = block if at == place else sources.blocks.get(at)
            if found is None:
                self._load(row, request)
                self._read_ahead(row, request)
                return
            if at != place:
                self._counters.read_cache_hits += 1
            if not self._take_block(request, row, found):
                break
            self._read_ahead(row, request)
        self._end(request, Status.OK if request.entries else self._absent(request.ledger_id))

    def _find_last(self, request: ReadRequest) -> bool:
        record = self._sources.records.get(request.ledger_id)
        if record is None or record.last_entry == NO_ENTRIES:
            return False
        request.first_entry = request.next_entry = record.last_entry
        request.entries_left = 1
        return True

    def _absent(self, ledger_id: int) -> Status:
        """A promise that the entry is not here, unless some may have been lost."""
        record = self._sources.records.get(ledger_id)
        checked = self.unknown_checked if record is None else record.checked
        if checked < self.damages:
            return Status.IO_ERROR
        return Status.NO_LEDGER if record is None else Status.NO_ENTRY

    def _take_cached(self, request: ReadRequest) -> bool:
        cache = self._sources.write_cache
        found: list[bytes] = []
        left, room = request.entries_left, request.bytes_left
        entry_id = request.next_entry
        while left > 0 and (entry := cache.get(request.ledger_id, entry_id)) is not None:
            room -= len(entry)
            if room < 0 and (found or request.entries):
                request.bytes_left = 0
                break
            found.append(entry)
            entry_id += 1
            left -= 1
        self._counters.write_cache_hits += len(found)
        request.take(found)
        return bool(found) or request.full

    def _take_block(self, request: ReadRequest, row: Row, block: Block) -> bool:
        entry_id, last = request.next_entry, row.last_entry
        # Entries added again since the block was written are newer: stop before them.
        cached = self._sources.write_cache.next_cached(request.ledger_id, entry_id)
        if cached is not None:
            last = min(last, max(cached - 1, entry_id))
        entries = block.take(entry_id, last, request.entries_left, request.bytes_left)
        if entries and request.entries and len(entries[0]) > request.bytes_left:
            request.bytes_left = 0
            return True
        request.take(entries)
        return bool(entries)

    def _load(self, row: Row, request: ReadRequest | None) -> None:
        """Read a block; `request` goes on when it is there."""
        place = (row.log_id, row.offset)
        waiting = self._loading.get(place)
        if waiting is None:
            waiting = self._loading[place] = []
            self._sources.logs.read(row.log_id, row.offset, row.length, partial(self._loaded, row))
        if request is not None:
            waiting.append(request)

    def _loaded(self, row: Row, data: bytes | None, error: BaseException | None) -> None:
        place = (row.log_id, row.offset)
        waiting = self._loading.pop(place)
        self._counters.blocks_read += 1
        block = None
        if error is None:
            assert data is not None
            self._counters.block_bytes_read += len(data)
            block, error = _checked(data, row)
        if block is None:
            self._damaged(row, error, waiting)
            return
        self._sources.blocks.put(place, block)
        for request in waiting:
            self._advance(request, place, block)

    def _damaged(self, row: Row, error: BaseException | None, waiting: list[ReadRequest]) -> None:
        """An entry that cannot be read is never called absent."""
        self._counters.blocks_damaged += 1
        self._suspects.add(row.ledger_id)
        _log.error("ledger %d: block cannot be read: %s (%r)", row.ledger_id, error, row)
        for request in waiting:
            self._end(request, Status.OK if request.entries else Status.IO_ERROR)

    def _read_ahead(self, row: Row, request: ReadRequest) -> None:
        if self._read_ahead_blocks == 0 or not (request.sequential or len(request.entries) > 1):
            return
        for following in self._sources.index.following(row, self._read_ahead_blocks):
            place = (following.log_id, following.offset)
            if place not in self._sources.blocks and place not in self._loading:
                self._counters.blocks_read_ahead += 1
                self._load(following, None)

    def _end(self, request: ReadRequest, status: Status) -> None:
        if status is Status.OK:
            self._counters.reads_ok += 1
            self._counters.entries_read += len(request.entries)
            self._counters.read_bytes += request.bytes_taken
            self._remember_end(request)
        else:
            self._counters.reads_failed += 1
        if not self._ended:
            self._loop.call_soon(self._settle)
        self._ended.append((request, status))

    def _remember_end(self, request: ReadRequest) -> None:
        """So that the read that goes on from here is known to be sequential."""
        if len(self._ends) >= _ENDS_KEPT:
            del self._ends[next(iter(self._ends))]
        self._ends[(request.ledger_id, request.next_entry)] = None

    async def drain(self) -> None:
        """Wait until no read is under way."""
        while self.pending:
            self._drained = self._loop.create_future()
            await self._drained

    def _settle(self) -> None:
        ended, self._ended = self._ended, []
        self.pending -= len(ended)
        if not self.pending and self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        _complete(self._loop, ended)


def _complete(loop: asyncio.AbstractEventLoop, ended: list[tuple[ReadRequest, Status]]) -> None:
    done = 0
    try:
        for request, status in ended:
            done += 1
            request.sink.read_completed(
                request.context, status, request.first_entry, request.entries
            )
    finally:
        # A sink that raises is a bug for the loop's handler; the others are still owed.
        if done < len(ended):
            loop.call_soon(_complete, loop, ended[done:])


def _checked(data: bytes, row: Row) -> tuple[Block | None, BaseException | None]:
    try:
        block = Block(data)
    except EntryLogFormatError as error:
        return None, error
    if block.ledger_id != row.ledger_id:
        return None, EntryLogFormatError("the block is another ledger's")
    return block, None
