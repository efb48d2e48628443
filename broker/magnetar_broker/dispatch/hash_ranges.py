"""Which consumer of a Key_Shared subscription has which hashes: three ways to share them out."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol

from magnetar_broker.dispatch.sticky_keys import key_hash
from magnetar_broker.errors import ConsumerAssignFailedError
from magnetar_broker.subscription_type import HashRange

if TYPE_CHECKING:
    from magnetar_broker.consumer import Consumer

RING_HASHES: Final = 65_535  # from 1 on
RANGE_HASHES: Final = 65_536


class HashRanges(Protocol):
    """Has one owner, or none, for each hash."""

    def reduced(self, key_hash: int) -> int:
        """The hash of a key as one of those that are shared out; never 0."""

    def add(self, consumer: Consumer) -> None:
        """A consumer takes hashes, its own or such as others had."""

    def remove(self, consumer: Consumer) -> None:
        """A consumer leaves its hashes to others."""

    def owner_of(self, hash_: int) -> Consumer | None:
        """Who has the hash."""

    def ranges_of(self, consumer: Consumer) -> list[HashRange]:
        """All that the consumer has, in order."""

    def rival_of(self, newcomer: Consumer) -> Consumer | None:
        """A consumer that has hashes which the newcomer wants for itself."""


class HashRing:
    """Consistent hashing: each consumer stands at many points, and a hash is the next point's."""

    def __init__(self, points_per_consumer: int) -> None:
        self._points_per_consumer = points_per_consumer
        self._points: list[int] = []
        self._owners: dict[int, Consumer] = {}
        self._indexes: dict[str, set[int]] = {}
        self._index_of: dict[Consumer, int] = {}

    def reduced(self, key_hash: int) -> int:
        return key_hash % RING_HASHES + 1

    def add(self, consumer: Consumer) -> None:
        # Consumers that have one name (the empty one, say) need points of their own.
        taken = self._indexes.setdefault(consumer.name, set())
        index = next(index for index in range(len(taken) + 1) if index not in taken)
        taken.add(index)
        self._index_of[consumer] = index
        for point in self._points_of(consumer.name, index):
            if point not in self._owners:
                self._owners[point] = consumer
                insort(self._points, point)

    def remove(self, consumer: Consumer) -> None:
        index = self._index_of.pop(consumer)
        taken = self._indexes[consumer.name]
        taken.discard(index)
        if not taken:
            del self._indexes[consumer.name]
        for point in self._points_of(consumer.name, index):
            if self._owners.get(point) is consumer:
                del self._owners[point]
                del self._points[bisect_left(self._points, point)]

    def owner_of(self, hash_: int) -> Consumer | None:
        points = self._points
        if not points:
            return None
        at = bisect_left(points, hash_)
        return self._owners[points[at] if at < len(points) else points[0]]

    def ranges_of(self, consumer: Consumer) -> list[HashRange]:
        index = self._index_of.get(consumer)
        if index is None:
            return []
        points, spans = self._points, []
        for point in self._points_of(consumer.name, index):
            if self._owners.get(point) is consumer:
                at = bisect_left(points, point)
                spans.append((points[at - 1] + 1 if at else 1, point))
                if at == 0 and points[-1] < RING_HASHES:
                    spans.append((points[-1] + 1, RING_HASHES))
        return _joined(sorted(spans))

    def rival_of(self, newcomer: Consumer) -> Consumer | None:
        return None

    def _points_of(self, name: str, index: int) -> list[int]:
        points = range(self._points_per_consumer)
        return [self.reduced(key_hash(f"{name}\0{index}\0{point}".encode())) for point in points]


class SplitRanges:
    """Each newcomer takes the lower half of the largest range."""

    def __init__(self) -> None:
        self._ends: list[int] = []
        self._owners: dict[int, Consumer] = {}

    def reduced(self, key_hash: int) -> int:
        return key_hash % RANGE_HASHES or 1

    def add(self, consumer: Consumer) -> None:
        end = RANGE_HASHES
        if self._ends:
            starts = [0, *self._ends]
            begin, largest = max(
                zip(starts, self._ends, strict=False), key=lambda span: span[1] - span[0]
            )
            end = (begin + largest) // 2
        insort(self._ends, end)
        self._owners[end] = consumer

    def remove(self, consumer: Consumer) -> None:
        at = next(at for at, end in enumerate(self._ends) if self._owners[end] is consumer)
        end = self._ends[at]
        if end == RANGE_HASHES and at > 0:
            # There is none above, so the one below takes the range.
            end = self._ends[at - 1]
            self._owners[RANGE_HASHES] = self._owners[end]
        del self._owners[end]
        self._ends.remove(end)

    def owner_of(self, hash_: int) -> Consumer | None:
        at = bisect_left(self._ends, hash_)
        return self._owners[self._ends[at]] if self._ends else None

    def ranges_of(self, consumer: Consumer) -> list[HashRange]:
        firsts = [0, *(end + 1 for end in self._ends)]
        spans = zip(firsts, self._ends, strict=False)
        return [
            (first, min(end, RANGE_HASHES - 1))
            for first, end in spans
            if self._owners[end] is consumer
        ]

    def rival_of(self, newcomer: Consumer) -> Consumer | None:
        return None


class StickyRanges:
    """Consumers name the ranges that they want; what nobody wants waits for one who does."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int, Consumer]] = []

    def reduced(self, key_hash: int) -> int:
        return key_hash % RANGE_HASHES or 1

    def add(self, consumer: Consumer) -> None:
        for first, last in consumer.options.hash_ranges:
            insort(self._ranges, (first, last, consumer), key=_first_of)

    def remove(self, consumer: Consumer) -> None:
        self._ranges = [each for each in self._ranges if each[2] is not consumer]

    def owner_of(self, hash_: int) -> Consumer | None:
        at = bisect_left(self._ranges, hash_ + 1, key=_first_of) - 1
        if at < 0:
            return None
        _, last, consumer = self._ranges[at]
        return consumer if hash_ <= last else None

    def ranges_of(self, consumer: Consumer) -> list[HashRange]:
        return [(first, last) for first, last, owner in self._ranges if owner is consumer]

    def rival_of(self, newcomer: Consumer) -> Consumer | None:
        for first, last in newcomer.options.hash_ranges:
            for start, end, consumer in self._ranges:
                if first <= end and start <= last:
                    return consumer
        return None


def check_ranges(ranges: Sequence[HashRange]) -> None:
    """Raises ConsumerAssignFailedError if they are none, or not ranges that stand side by side."""
    if not ranges:
        raise ConsumerAssignFailedError("A sticky consumer must name at least one range of hashes")
    for first, last in ranges:
        if first > last:
            raise ConsumerAssignFailedError(f"The range of hashes {first}-{last} is backward")
    ordered = sorted(ranges)
    for (_, last), (first, _) in pairwise(ordered):
        if first <= last:
            raise ConsumerAssignFailedError(f"Two ranges of the consumer overlap at hash {first}")


def _first_of(row: tuple[int, int, Consumer]) -> int:
    return row[0]


def _joined(ranges: Iterable[HashRange]) -> list[HashRange]:
    joined: list[HashRange] = []
    for first, last in ranges:
        if joined and joined[-1][1] + 1 == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined
