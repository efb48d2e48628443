"""Figures of topics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from aiohttp import web

from magnetar_broker.errors import TopicNotFoundError
from magnetar_broker.http.names import topic_of
from magnetar_broker.http.replies import flag
from magnetar_broker.http.route_table import Permission, Routes, route
from magnetar_broker.http.shapes import OBJECT, flag_of
from magnetar_broker.http.topic_routes import TOPIC
from magnetar_broker.stats.internal_stats import internal_stats
from magnetar_broker.stats.partitioned_stats import together
from magnetar_broker.stats.topic_stats import TopicStats

if TYPE_CHECKING:
    from magnetar_metadata.topic_records import PartitionedTopic

    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic import Topic


_LEFT_OUT: Final = (
    flag_of("excludePublishers", "leave out the list of producers"),
    flag_of("excludeConsumers", "leave out the lists of consumers"),
)


class StatsRoutes(Routes):
    """Paths are below `/admin/v2`."""

    title: ClassVar[str] = "Figures of topics"

    def __init__(self, service: BrokerService) -> None:
        self._admin = service.admin
        self._catalog = service.catalog
        self._stats = TopicStats(service.sampler, service.config.broker_id)

    @route(
        "GET",
        f"{TOPIC}/stats",
        "Figures of a topic, its clients and subscriptions",
        answer=OBJECT,
        query=_LEFT_OUT,
        permission=Permission.LOOKUP,
    )
    async def stats(self, request: web.Request) -> web.Response:
        stats = self._stats.of_topic(await self._admin.loaded(topic_of(request)))
        return web.json_response(_without_excluded(request, stats))

    @route(
        "GET",
        f"{TOPIC}/internalStats",
        "Ledgers and cursors of a topic",
        answer=OBJECT,
        permission=Permission.LOOKUP,
    )
    async def internal_stats(self, request: web.Request) -> web.Response:
        return web.json_response(internal_stats(await self._admin.loaded(topic_of(request))))

    @route(
        "GET",
        f"{TOPIC}/partitioned-stats",
        "Figures of all partitions together, and of each",
        answer=OBJECT,
        query=(*_LEFT_OUT, flag_of("perPartition", "of each too; true if it is missing")),
        any_broker=True,
        permission=Permission.LOOKUP,
    )
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

    @route(
        "GET",
        f"{TOPIC}/partitioned-internalStats",
        "Ledgers and cursors of all partitions",
        answer=OBJECT,
        any_broker=True,
        permission=Permission.LOOKUP,
    )
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
        return record, {str(each): stats_of(await self._admin.loaded(each)) for each in existing}


def _without_excluded(request: web.Request, stats: dict[str, Any]) -> dict[str, Any]:
    """Lists may be long; a caller may do without."""
    if flag(request, "excludePublishers"):
        stats["publishers"] = []
    if flag(request, "excludeConsumers"):
        for subscription in stats["subscriptions"].values():
            subscription["consumers"] = []
    return stats
