"""Which entries of a subscription wait for their time, in about ten bytes each or less.

The newest rows are a heap, the tail. When it is full it becomes a sorted run of arrays. Many runs
may become a bucket, which lies in a ledger and has one segment in memory. Of runs and buckets the
one whose next row is due first stands at the top of a second heap.

What counts is the set of waiting entries: a row whose entry is not in it is passed over. So an
entry may be acked, or have rows in a run and in the bucket that is being made of it, at no cost.
Pure: who owns it reads and writes the buckets.
"""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final

from magnetar_ledger.position import Position

from magnetar_broker.dispatch.delayed_buckets import StoredBucket
from magnetar_broker.dispatch.delayed_runs import SortedRun, key_of, position_of, time_of
from magnetar_broker.dispatch.waiting_entries import WaitingEntries

RUN_ROWS: Final = 2_048
"""Sorting so many and making arrays of them takes about 2 ms."""
TAIL_ROW_BYTES: Final = 72
"""Of a row in the heap."""
NEVER_MS: Final = 1 << 62
_NUMBER_BITS: Final = 32
_NUMBER_MASK: Final = (1 << _NUMBER_BITS) - 1
_LOOK_FACTOR: Final = 4
"""So many rows are looked at for each that is wanted: those of acked entries cost time too."""


class DelayedIndex:
    """Rows of entries and their times.

    Attributes:
        waiting: The entries that wait.
    """

    def __init__(self) -> None:
        self.waiting = WaitingEntries()
        self._source_bytes = 0
        self._tail: list[int] = []
        self._sources: dict[int, SortedRun | StoredBucket] = {}
        self._by_time: list[int] = []  # time and number of each source
        self._next_number = 0

    @property
    def rows(self) -> int:
        """How many entries wait."""
        return self.waiting.count

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        return self._source_bytes + TAIL_ROW_BYTES * len(self._tail) + self.waiting.size_bytes

    @property
    def unstored_rows(self) -> int:
        """How many rows no bucket has."""
        return self.run_rows + len(self._tail)

    @property
    def run_rows(self) -> int:
        """How many of them are in runs."""
        return sum(len(each) for each in self._sources.values() if isinstance(each, SortedRun))

    def add(self, deliver_at_ms: int, ledger_id: int, entry_id: int) -> bool:
        """Have an entry wait, if it does not yet; whether a run was sealed."""
        if not self.waiting.add(ledger_id, entry_id):
            return False
        heappush(self._tail, key_of(deliver_at_ms, ledger_id, entry_id))
        if len(self._tail) < RUN_ROWS:
            return False
        self.end_tail()
        return True

    def end_tail(self) -> None:
        """Make a run of the newest rows, however few they are."""
        if self._tail:
            run, self._tail = SortedRun(sorted(self._tail)), []
            self._put(run)

    def _put(self, source: SortedRun | StoredBucket) -> None:
        if source.drained:
            return  # all rows of the bucket were taken before it was made
        self._sources[self._next_number] = source
        heappush(self._by_time, source.next_ms << _NUMBER_BITS | self._next_number)
        self._next_number += 1
        self._resize(source.size_bytes)

    @property
    def next_ms(self) -> int:
        """When the next row is due; `NEVER_MS` if there is none."""
        tail = time_of(self._tail[0]) if self._tail else NEVER_MS
        return min(tail, self._by_time[0] >> _NUMBER_BITS if self._by_time else NEVER_MS)

    @property
    def stuck(self) -> bool:
        """Whether the next row is in a segment that is not loaded."""
        if not self._by_time or (self._tail and time_of(self._tail[0]) == self.next_ms):
            return False
        source = self._sources[self._by_time[0] & _NUMBER_MASK]
        return isinstance(source, StoredBucket) and source.needs_segment

    def take_due(self, until_ms: int, limit: int) -> list[Position]:
        """Take out entries that are due at this time or before, at most `limit`; earliest first.

        It ends early at a segment that is not loaded: `to_load` names it.
        """
        due: list[Position] = []
        discard = self.waiting.discard
        for _ in range(_LOOK_FACTOR * limit):
            if len(due) >= limit or self.next_ms > until_ms:
                break
            if self._tail and time_of(self._tail[0]) == self.next_ms:
                position = position_of(heappop(self._tail))
            else:
                found = self._pop_of_source()
                if found is None:
                    break
                position = found
            if discard(*position):
                due.append(position)
        return due

    def _pop_of_source(self) -> Position | None:
        number = self._by_time[0] & _NUMBER_MASK
        source = self._sources[number]
        if isinstance(source, StoredBucket) and source.needs_segment:
            return None
        before = source.size_bytes
        position = source.pop()
        if source.drained:
            heappop(self._by_time)
            del self._sources[number]
            self._resize(-before)
        else:
            heapreplace(self._by_time, source.next_ms << _NUMBER_BITS | number)
            self._resize(source.size_bytes - before)
        return position

    def to_load(self, until_ms: int) -> list[StoredBucket]:
        """Buckets of which a segment should be read for what is due by this time."""
        return [each for each in self.buckets() if each.wants_segment(until_ms)]

    def loaded(self, bucket: StoredBucket, run: SortedRun) -> None:
        """A bucket's segment is there."""
        bucket.loaded(run)
        self._resize(run.size_bytes)

    def buckets(self) -> Iterable[StoredBucket]:
        """Those that have rows left."""
        return [each for each in self._sources.values() if isinstance(each, StoredBucket)]

    def runs(self, most_rows: int = NEVER_MS) -> list[SortedRun]:
        """What a bucket is to be made of: the oldest, of so many rows or a run more.

        They stay in use until `replace`.
        """
        found = []
        for each in self._sources.values():
            if isinstance(each, SortedRun) and most_rows > 0:
                found.append(each)
                most_rows -= len(each)
        return found

    def replace(self, runs: Iterable[SortedRun], bucket: StoredBucket) -> None:
        """A bucket has all rows of these runs now."""
        gone = set(map(id, runs))
        for number, source in list(self._sources.items()):
            if id(source) in gone:
                self._resize(-source.size_bytes)
                del self._sources[number]
        self._by_time = [key for key in self._by_time if key & _NUMBER_MASK in self._sources]
        heapify(self._by_time)
        self._put(bucket)

    def restore(self, bucket: StoredBucket, entries: Iterable[tuple[int, bytes]]) -> None:
        """A bucket of before, with the bit sets of its entries."""
        for ledger_id, bits in entries:
            self.waiting.merge(ledger_id, bits)
        self._put(bucket)

    def clear(self) -> None:
        """Nothing waits any more."""
        self.waiting.clear()
        self._tail.clear()
        self._sources.clear()
        self._by_time.clear()
        self._source_bytes = 0

    def _resize(self, change: int) -> None:
        self._source_bytes += change
