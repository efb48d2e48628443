"""Which entries of a subscription wait for their time, in about ten bytes each.

The newest rows are a heap, the tail. When it is full it becomes a sorted run of arrays; the run
whose next row is due first stands at the top of a second heap.
"""

from heapq import heappop, heappush, heapreplace
from typing import Final

from magnetar_ledger.position import Position

from magnetar_broker.dispatch.delayed_runs import SortedRun, key_of, position_of, time_of

RUN_ROWS: Final = 2_048
"""Sorting so many and making arrays of them takes about 2 ms."""
NEVER_MS: Final = 1 << 62
_NUMBER_BITS: Final = 32
_NUMBER_MASK: Final = (1 << _NUMBER_BITS) - 1


class DelayedIndex:
    """Rows of entries and their times; an entry is added once.

    Attributes:
        rows: How many entries wait.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._tail: list[int] = []
        self._runs: dict[int, SortedRun] = {}
        self._by_time: list[int] = []  # time and number of each run
        self._next_number = 0

    def add(self, deliver_at_ms: int, ledger_id: int, entry_id: int) -> None:
        """Have an entry wait."""
        heappush(self._tail, key_of(deliver_at_ms, ledger_id, entry_id))
        self.rows += 1
        if len(self._tail) >= RUN_ROWS:
            self._seal()

    def _seal(self) -> None:
        run, self._tail = SortedRun(sorted(self._tail)), []
        self._runs[self._next_number] = run
        heappush(self._by_time, run.next_ms << _NUMBER_BITS | self._next_number)
        self._next_number += 1

    @property
    def next_ms(self) -> int:
        """When the next entry is due; `NEVER_MS` if none waits."""
        tail = time_of(self._tail[0]) if self._tail else NEVER_MS
        return min(tail, self._by_time[0] >> _NUMBER_BITS if self._by_time else NEVER_MS)

    def take_due(self, until_ms: int, limit: int) -> list[Position]:
        """Take out entries that are due at this time or before, at most `limit`; earliest first."""
        due: list[Position] = []
        while len(due) < limit and self.next_ms <= until_ms:
            if self._tail and time_of(self._tail[0]) == self.next_ms:
                due.append(position_of(heappop(self._tail)))
            else:
                due.append(self._pop_of_run())
        self.rows -= len(due)
        return due

    def _pop_of_run(self) -> Position:
        number = self._by_time[0] & _NUMBER_MASK
        run = self._runs[number]
        position = run.pop()
        if run.drained:
            heappop(self._by_time)
            del self._runs[number]
        else:
            heapreplace(self._by_time, run.next_ms << _NUMBER_BITS | number)
        return position

    def clear(self) -> None:
        """Nothing waits any more."""
        self.rows = 0
        self._tail.clear()
        self._runs.clear()
        self._by_time.clear()

    @property
    def size_bytes(self) -> int:
        """What sorted runs take in memory; the tail has at most `RUN_ROWS` rows."""
        return sum(run.size_bytes for run in self._runs.values())
