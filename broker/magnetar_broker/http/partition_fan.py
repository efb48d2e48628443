"""One call for a topic, or for each of its partitions, which other brokers may serve."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from magnetar_broker.errors import UnsupportedError

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic import Topic
    from magnetar_broker.topic_name import TopicName


class PartitionFan:
    """Errors of all calls: BrokerError, LedgerError, MetadataError."""

    def __init__(self, service: BrokerService) -> None:
        self._service = service

    async def one(self, name: TopicName, refusal: str) -> Topic:
        """A topic that is served here. Raises UnsupportedError(refusal) if it is partitioned."""
        if await self._service.catalog.partitions(name):
            raise UnsupportedError(refusal)
        return await self._service.admin.loaded(name)

    async def each(
        self,
        name: TopicName,
        local: Callable[[Topic], Awaitable[Any]],
        method: str,
        path: str,
        body: Any = None,
    ) -> list[Any]:
        """What `local` gives of the topic, or of each partition that is there.

        Args:
            method, path, body: the same as a call to whichever broker has a partition.
        """
        partitions = await self._partitions(name)
        elsewhere = self._service.admin.elsewhere
        if partitions is None:
            return [await local(await self._service.admin.loaded(name))]
        if elsewhere is not None:
            return [await elsewhere.call(method, each, path, body) for each in partitions]
        return [await local(await self._service.admin.loaded(each)) for each in partitions]

    async def _partitions(self, name: TopicName) -> Sequence[TopicName] | None:
        count = await self._service.catalog.partitions(name)
        if not count:
            return None
        names = [name.partition(index) for index in range(count)]
        return [each for each in names if await self._service.catalog.exists(each)]
