"""Figures of topics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from magnetar_broker.errors import TopicNotFoundError
from magnetar_broker.http.replies import flag
from magnetar_broker.http.topic_routes import TOPIC, topic_of
from magnetar_broker.stats.internal_stats import internal_stats
from magnetar_broker.stats.partitioned_stats import together
from magnetar_broker.stats.topic_stats import TopicStats

if TYPE_CHECKING:
    from magnetar_metadata.topic_records import PartitionedTopic

    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic import Topic
    from magnetar_broker.topic_name import TopicName


class StatsRoutes:
    """Paths are below `/admin/v2`."""

    def __init__(self, service: BrokerService) -> None:
        config = service.config
        self._admin = service.admin
        self._catalog = service.catalog
        self._topics = service.topics
        self._stats = TopicStats(service.sampler, f"{config.advertised_host}:{config.web_port}")

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{TOPIC}/stats", self.stats),
            web.get(f"{TOPIC}/internalStats", self.internal_stats),
            web.get(f"{TOPIC}/partitioned-stats", self.partitioned_stats),
            web.get(f"{TOPIC}/partitioned-internalStats", self.partitioned_internal_stats),
        ]

    async def stats(self, request: web.Request) -> web.Response:
        stats = self._stats.of_topic(await self._topic(topic_of(request)))
        return web.json_response(_without_excluded(request, stats))

    async def internal_stats(self, request: web.Request) -> web.Response:
        return web.json_response(internal_stats(await self._topic(topic_of(request))))

    async def partitioned_stats(self, request: web.Request) -> web.Response:
        """Of all partitions together, and of each unless `perPartition=false`."""
        record, parts = await self._of_partitions(request, self._stats.of_topic, internal=False)
        parts = {name: _without_excluded(request, part) for name, part in parts.items()}
        answer = {
            **together(parts.values()),
            "metadata": record.to_json(),
            "partitions": parts if flag(request, "perPartition", default=True) else {},
        }
        return web.json_response(answer)

    async def partitioned_internal_stats(self, request: web.Request) -> web.Response:
        record, parts = await self._of_partitions(request, internal_stats, internal=True)
        return web.json_response({"metadata": record.to_json(), "partitions": parts})

    async def _of_partitions(
        self,
        request: web.Request,
        stats_of: Callable[[Topic], dict[str, Any]],
        *,
        internal: bool,
    ) -> tuple[PartitionedTopic, dict[str, dict[str, Any]]]:
        name = topic_of(request)
        record = await self._catalog.partitioned(name)
        if record is None:
            raise TopicNotFoundError(f"Partitioned Topic {name} not found")
        partitions = [name.partition(index) for index in range(record.partitions)]
        existing = [each for each in partitions if await self._catalog.exists(each)]
        elsewhere = self._admin.elsewhere
        if elsewhere is not None:
            return record, {
                str(each): await elsewhere.stats(each, internal=internal) for each in existing
            }
        return record, {str(each): stats_of(await self._topic(each)) for each in existing}

    async def _topic(self, name: TopicName) -> Topic:
        if not await self._catalog.exists(name):
            raise TopicNotFoundError(f"Topic {name} not found")
        return await self._topics.get(name, create=False)


def _without_excluded(request: web.Request, stats: dict[str, Any]) -> dict[str, Any]:
    """Lists may be long; a caller may do without."""
    if flag(request, "excludePublishers"):
        stats["publishers"] = []
    if flag(request, "excludeConsumers"):
        for subscription in stats["subscriptions"].values():
            subscription["consumers"] = []
    return stats
