"""Which of several Failover consumers gets the messages."""

from collections.abc import Sequence
from hashlib import blake2b


def choose_active(
    consumers: Sequence[tuple[int, str]], topic_name: str, partition_index: int
) -> int:
    """The index of the active one among (priority level, name) pairs; there is at least one.

    Only the consumers of the best priority (the lowest level) count. Partitions are spread over
    them in the order of names, so each takes its share. A topic that is no partition draws a lot
    for each name and takes the largest, so that one set of names on many topics does not choose one
    process, and who comes or goes moves only the topics that are its own.
    """
    best = min(level for level, _ in consumers)
    eligible = [index for index, (level, _) in enumerate(consumers) if level == best]
    if partition_index >= 0:
        eligible.sort(key=lambda index: consumers[index][1])
        return eligible[partition_index % len(eligible)]
    return max(eligible, key=lambda index: (_lot(topic_name, consumers[index][1]), -index))


def _lot(topic_name: str, consumer_name: str) -> bytes:
    # The same in every process and run: the choice must outlive a restart of the broker.
    return blake2b(f"{topic_name}\0{consumer_name}".encode(), digest_size=8).digest()
