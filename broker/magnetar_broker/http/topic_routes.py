"""Topics and their partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from magnetar_broker.errors import (
    NotAllowedError,
    TopicBusyError,
    TopicExistsError,
    TopicNotFoundError,
)
from magnetar_broker.http.replies import done, flag, json_body, refusal
from magnetar_broker.topic_name import PERSISTENT, NamespaceName, TopicName

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService

_NAMESPACE = "/{domain:persistent|non-persistent}/{tenant}/{namespace}"
_TOPIC = f"{_NAMESPACE}/{{topic}}"


class TopicRoutes:
    """Paths are below `/admin/v2`."""

    def __init__(self, service: BrokerService) -> None:
        self._service = service
        self._catalog = service.catalog
        self._topics = service.topics

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(_NAMESPACE, self.list_topics),
            web.get(f"{_NAMESPACE}/partitioned", self.list_partitioned),
            web.put(_TOPIC, self.create),
            web.delete(_TOPIC, self.delete),
            web.get(f"{_TOPIC}/partitions", self.partitions),
            web.put(f"{_TOPIC}/partitions", self.create_partitions),
            web.delete(f"{_TOPIC}/partitions", self.delete_partitions),
        ]

    async def list_topics(self, request: web.Request) -> web.Response:
        namespace = _namespace_of(request)
        await self._service.namespaces.policies(namespace)
        if request.match_info["domain"] == PERSISTENT:
            names = await self._catalog.topics(namespace)
        else:
            names = self._catalog.non_persistent_topics(namespace)
        return web.json_response([str(name) for name in names])

    async def list_partitioned(self, request: web.Request) -> web.Response:
        namespace = _namespace_of(request)
        await self._service.namespaces.policies(namespace)
        domain = request.match_info["domain"]
        names = await self._catalog.partitioned_topics(namespace, domain)
        return web.json_response([str(name) for name in names])

    async def create(self, request: web.Request) -> web.Response:
        name = _topic_of(request)
        if await self._catalog.exists(name) or await self._catalog.partitions(name):
            raise TopicExistsError("This topic already exists")
        await self._service.create_topic(name)
        return done()

    async def delete(self, request: web.Request) -> web.Response:
        name = _topic_of(request)
        if await self._catalog.partitions(name):
            return refusal(409, f"Topic {name} is partitioned; delete it with its partitions")
        if not await self._catalog.exists(name):
            raise TopicNotFoundError(f"Topic {name} not found")
        await self._topics.delete(name, force=flag(request, "force"))
        return done()

    async def partitions(self, request: web.Request) -> web.Response:
        name = _topic_of(request)
        if flag(request, "checkAllowAutoCreation"):
            count = await self._catalog.partitions_for_client(name, may_create=True)
        else:
            count = await self._catalog.partitions(name)
            if not count and not await self._catalog.exists(name):
                raise TopicNotFoundError(f"Topic {name} not found")
        return web.json_response({"partitions": count, "deleted": False})

    async def create_partitions(self, request: web.Request) -> web.Response:
        name = _topic_of(request)
        if not request.body_exists:
            raise web.HTTPUnsupportedMediaType
        count = _partitions_in(await json_body(request))
        try:
            await self._service.create_partitioned_topic(name, count)
        except TopicExistsError:
            raise
        except NotAllowedError as error:
            return refusal(406, str(error))
        return done()

    async def delete_partitions(self, request: web.Request) -> web.Response:
        name, force = _topic_of(request), flag(request, "force")
        count = await self._catalog.partitions(name)
        if not count:
            raise TopicNotFoundError(f"Partitioned topic {name} not found")
        partitions = [name.partition(index) for index in range(count)]
        if not force and any(self._topics.in_use(partition) for partition in partitions):
            raise TopicBusyError(f"Topic {name} has connected producers/consumers")
        for partition in partitions:
            if await self._catalog.exists(partition):
                await self._topics.delete(partition, force=force)
        await self._catalog.delete_partitioned(name)
        return done()


def _partitions_in(body: Any) -> int:
    """A bare number, or the form with properties."""
    count = body.get("partitions") if isinstance(body, dict) else body
    if not isinstance(count, int) or isinstance(count, bool):
        raise web.HTTPBadRequest(reason="The body is the number of partitions")
    return count


def _namespace_of(request: web.Request) -> NamespaceName:
    return NamespaceName.parse(f"{request.match_info['tenant']}/{request.match_info['namespace']}")


def _topic_of(request: web.Request) -> TopicName:
    parts = request.match_info
    return TopicName.parse(
        f"{parts['domain']}://{parts['tenant']}/{parts['namespace']}/{parts['topic']}"
    )
