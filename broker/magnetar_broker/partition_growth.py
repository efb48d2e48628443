"""More partitions for a topic: made first, then made known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from magnetar_metadata.store import BadVersionError, NoNodeError

from magnetar_broker.errors import PartitionCountError, TopicConflictError
from magnetar_broker.topic_catalog import check_parent, record_name

if TYPE_CHECKING:
    from magnetar_metadata.topic_records import TopicRecords

    from magnetar_broker.topic_catalog import TopicCatalog
    from magnetar_broker.topic_name import TopicName


class PartitionGrowth:
    """Clients see a partition when it is there with the subscriptions of the others: else what they
    publish to it at once would be lost for those."""

    def __init__(
        self, records: TopicRecords, catalog: TopicCatalog, max_partitions_per_topic: int
    ) -> None:
        self._records = records.partitioned_topics
        self._catalog = catalog
        self._most = max_partitions_per_topic

    async def grow(
        self, name: TopicName, count: int, make: Callable[[TopicName], Awaitable[None]]
    ) -> None:
        """Give a topic `count` partitions.

        Args:
            make: makes one of the new partitions, which may be there from a former attempt.

        Raises:
            InvalidTopicNameError: it is the name of a partition.
            TopicConflictError: it is not partitioned, or somebody else changes it too.
            PartitionCountError: there are more partitions now, or `count` is above the maximum.
            TooManyTopicsError: the namespace has no room for so many.
        """
        check_parent(name)
        growing = self._catalog.growing
        if name in growing:
            raise TopicConflictError(f"The partitions of {name} are being changed; retry later")
        growing[name] = count
        try:
            now = await self._check(name, count)
            new = [name.partition(index) for index in range(now, count)]
            await self._catalog.take_room(name.namespace, new)
            try:
                for partition in new:
                    await make(partition)
                await self._write(name, count)
            finally:
                self._catalog.room.settle(new)
        finally:
            del growing[name]

    async def _check(self, name: TopicName, count: int) -> int:
        now = await self._catalog.partitions(name)
        if not now:
            raise TopicConflictError(f"Topic {name} is not the partitioned topic.")
        if count < now:
            raise PartitionCountError(
                f"Desired partitions {count} can't be less than the current partitions {now}."
            )
        if self._most and count > self._most:
            raise PartitionCountError(
                f"Desired partitions {count} can't be greater than the maximum partitions per "
                f"topic {self._most}."
            )
        return now

    async def _write(self, name: TopicName, count: int) -> None:
        found = await self._records.read(record_name(name))
        if found is None or found[0].partitions > count:
            raise TopicConflictError(f"Topic {name} was changed by somebody else; look again")
        record, version = found
        try:
            await self._records.write(record_name(name), replace(record, partitions=count), version)
        except (NoNodeError, BadVersionError) as error:
            raise TopicConflictError(f"Topic {name} was changed by somebody else") from error
