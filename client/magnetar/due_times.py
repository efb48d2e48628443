"""Things that are due at some time: negative acknowledgements, messages nobody acknowledges."""

import heapq
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class DueTimes(Generic[Key]):
    """When each key is due. A key that is added again is due at the new time only.

    Attributes:
        due_s: the times by the keys; empty if nothing is due.
    """

    def __init__(self) -> None:
        self.due_s: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self.due_s)

    def __contains__(self, key: Key) -> bool:
        return key in self.due_s

    def add(self, key: Key, due_s: float) -> None:
        """It is due then."""
        self.due_s[key] = due_s
        self._number += 1  # keys need not have an order
        heapq.heappush(self._heap, (due_s, self._number, key))

    def discard(self, key: Key) -> None:
        """It is not due any more."""
        self.due_s.pop(key, None)
        if len(self._heap) > 2 * len(self.due_s) + 64:
            rows = [row for row in self._heap if self.due_s.get(row[2]) == row[0]]
            heapq.heapify(rows)
            self._heap = rows

    def discard_where(self, condition: Callable[[Key], bool]) -> None:
        """None of these is due any more."""
        for key in [each for each in self.due_s if condition(each)]:
            del self.due_s[key]

    def clear(self) -> None:
        """Nothing is due."""
        self.due_s.clear()
        self._heap.clear()

    @property
    def next_s(self) -> float | None:
        """When the first is due; None if nothing is."""
        while self._heap and self.due_s.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now_s: float) -> list[Key]:
        """What is due now."""
        keys = []
        while (next_s := self.next_s) is not None and next_s <= now_s:
            key = heapq.heappop(self._heap)[2]
            del self.due_s[key]
            keys.append(key)
        return keys
