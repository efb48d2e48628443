"""Which of several Failover consumers gets the messages."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from magnetar_broker.dispatch.sticky_keys import key_hash

_POINTS_PER_CONSUMER: Final = 100
_KEPT_DISTANCES: Final = 4096  # each takes a tenth of a millisecond to find


def choose_active(
    consumers: Sequence[tuple[int, str]], topic_name: str, partition_index: int
) -> int:
    """The index of the active one among (priority level, name) pairs; there is at least one.

    Only the consumers of the best priority (the lowest level) count. Partitions are spread over
    them in the order of names, so each takes its share. A topic that is no partition stands on a
    ring of hashes, and the consumer whose point comes next is chosen, so that one set of names on
    many topics does not choose one process. All of it as in Pulsar.
    """
    best = min(level for level, _ in consumers)
    eligible = [index for index, (level, _) in enumerate(consumers) if level == best]
    eligible.sort(key=lambda index: consumers[index][1])
    if partition_index >= 0:
        return eligible[partition_index % len(eligible)]
    # Where two stand at one point, it is that of the last one.
    return min(reversed(eligible), key=lambda index: _distance(topic_name, consumers[index][1]))


@lru_cache(maxsize=_KEPT_DISTANCES)
def _distance(topic_name: str, consumer_name: str) -> int:
    """How far it is from the topic to the consumer's next point, all around the ring if need be."""
    start = key_hash(topic_name.encode())
    points = (
        key_hash(f"{consumer_name}{number}".encode()) for number in range(_POINTS_PER_CONSUMER)
    )
    return min((point - start) % (1 << 31) for point in points)
