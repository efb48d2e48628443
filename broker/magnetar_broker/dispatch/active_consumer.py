"""Which of several Failover consumers gets the messages."""

from bisect import bisect_left
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

RING_POINTS_PER_CONSUMER: Final = 100


def choose_active(
    consumers: Sequence[tuple[int, str]], topic_name: str, partition_index: int
) -> int:
    """The index of the active one among (priority level, name) pairs; there is at least one.

    Only the consumers of the best priority (the lowest level) count. Partitions are spread over
    them in the order of names, so each takes its share; for a topic that is no partition the place
    comes from a hash ring, so that one set of names on many topics does not choose one process.
    """
    best = min(level for level, _ in consumers)
    eligible = sorted(
        (name, index) for index, (level, name) in enumerate(consumers) if level == best
    )
    if partition_index >= 0:
        return eligible[partition_index % len(eligible)][1]
    if len(eligible) == 1:
        return eligible[0][1]
    return _on_ring(eligible, topic_name)


def _on_ring(eligible: list[tuple[str, int]], topic_name: str) -> int:
    ring = sorted(
        (_hash(f"{name}\0{point}"), name, index)
        for name, index in eligible
        for point in range(RING_POINTS_PER_CONSUMER)
    )
    place = bisect_left(ring, (_hash(topic_name),))
    return ring[place % len(ring)][2]


def _hash(text: str) -> int:
    # The same in every process and run: the choice must outlive a restart of the broker.
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
