"""The tail cache: what was just written, for consumers that keep up.

Per ledger one list of payloads, the same objects that were published. All topics together stay
below one bound; they give way in turn, each its oldest entries.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from magnetar_ledger.position import Position

_SLICE_BYTES: Final = 256 * 1024
"""How much one topic gives way before it is the next one's turn."""
_STEP_ENTRIES: Final = 64


class EntryCacheManager:
    """The tail caches of all topics, bounded together.

    Args:
        max_bytes: payload bytes that may stay; 0 turns caching off.
    """

    def __init__(self, max_bytes: int = 64 * 1024 * 1024) -> None:
        self.max_bytes = max_bytes
        self.size_bytes = 0
        self.hits = 0
        self.misses = 0
        self._turns: deque[EntryCache] = deque()

    def new_cache(self) -> "EntryCache":
        """A cache for one managed ledger."""
        return EntryCache(self)

    def grew(self, cache: "EntryCache", size_bytes: int) -> None:
        """A cache took entries in; make room."""
        if not cache.in_turns:
            cache.in_turns = True
            self._turns.append(cache)
        self.size_bytes += size_bytes
        while self.size_bytes > self.max_bytes:
            oldest = self._turns.popleft()
            oldest.evict_bytes(min(_SLICE_BYTES, self.size_bytes - self.max_bytes))
            if oldest.size_bytes:
                self._turns.append(oldest)
            else:
                oldest.in_turns = False

    def shrank(self, size_bytes: int) -> None:
        """A cache let entries go."""
        self.size_bytes -= size_bytes


class _LedgerTail:
    """The cached entries of one ledger: `entries[i]` has the id `first_entry_id + i`."""

    __slots__ = ("entries", "first_entry_id")

    def __init__(self, first_entry_id: int) -> None:
        self.first_entry_id = first_entry_id
        self.entries: list[bytes] = []

    def evict(self, count: int) -> int:
        """Drop the oldest entries and return how many bytes they had."""
        size_bytes = sum(map(len, self.entries[:count]))
        del self.entries[:count]
        self.first_entry_id += count
        return size_bytes


class EntryCache:
    """The tail of one managed ledger."""

    __slots__ = ("_ledgers", "_manager", "in_turns", "size_bytes")

    def __init__(self, manager: EntryCacheManager) -> None:
        self._manager = manager
        self._ledgers: dict[int, _LedgerTail] = {}
        self.size_bytes = 0
        self.in_turns = False

    def append(
        self, ledger_id: int, first_entry_id: int, payloads: Sequence[bytes], size_bytes: int
    ) -> None:
        """Take in confirmed entries that follow on; `size_bytes` is the sum of their lengths.

        Entries that do not follow on what is cached of the ledger replace it.
        """
        tail = self._ledgers.get(ledger_id)
        if tail is None:
            tail = self._ledgers[ledger_id] = _LedgerTail(first_entry_id)
        elif tail.first_entry_id + len(tail.entries) != first_entry_id:
            self._let_go(tail.evict(len(tail.entries)))
            tail.first_entry_id = first_entry_id
        tail.entries += payloads
        self.size_bytes += size_bytes
        self._manager.grew(self, size_bytes)

    def read(self, position: Position, max_entries: int, max_bytes: int) -> list[bytes] | None:
        """Entries from exactly `position` on, of one ledger; None if it is not cached.

        At least one entry comes, also when it is larger than `max_bytes`.
        """
        tail = self._ledgers.get(position[0])
        at = -1 if tail is None else position[1] - tail.first_entry_id
        if tail is None or not 0 <= at < len(tail.entries):
            self._manager.misses += 1
            return None
        self._manager.hits += 1
        found = tail.entries[at : at + max_entries]
        if sum(map(len, found)) > max_bytes:
            del found[_fitting(found, max_bytes) :]
        return found

    def evict_before(self, position: Position) -> None:
        """Let go of what is older than `position`: every active cursor has read it."""
        for ledger_id in list(self._ledgers):
            tail = self._ledgers[ledger_id]
            if ledger_id < position[0]:
                self._let_go(tail.evict(len(tail.entries)))
                del self._ledgers[ledger_id]
            elif ledger_id == position[0] and position[1] > tail.first_entry_id:
                passed = min(position[1] - tail.first_entry_id, len(tail.entries))
                self._let_go(tail.evict(passed))

    def evict_bytes(self, size_bytes: int) -> None:
        """Let go of the oldest entries, at least `size_bytes` or all there is."""
        target = max(self.size_bytes - size_bytes, 0)
        while self.size_bytes > target and self._ledgers:
            ledger_id = next(iter(self._ledgers))
            tail = self._ledgers[ledger_id]
            step = tail.entries[:_STEP_ENTRIES]
            count = min(_fitting(step, self.size_bytes - target) + 1, len(step))
            self._let_go(tail.evict(count))
            if not tail.entries:
                del self._ledgers[ledger_id]

    def clear(self) -> None:
        """Let go of everything."""
        self._ledgers.clear()
        self._let_go(self.size_bytes)

    def _let_go(self, size_bytes: int) -> None:
        self.size_bytes -= size_bytes
        self._manager.shrank(size_bytes)


def _fitting(payloads: Sequence[bytes], max_bytes: int) -> int:
    """How many of the first payloads fit into `max_bytes`, at least one."""
    size_bytes = 0
    for count, payload in enumerate(payloads):
        size_bytes += len(payload)
        if size_bytes > max_bytes:
            return max(count, 1)
    return len(payloads)
