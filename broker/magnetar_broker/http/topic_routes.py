"""Topics and their partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from magnetar_broker.errors import (
    InvalidTopicNameError,
    NotAllowedError,
    TooManyTopicsError,
    TopicConflictError,
    TopicExistsError,
    TopicNotFoundError,
)
from magnetar_broker.http.replies import done, flag, json_body, refusal
from magnetar_broker.topic_name import PERSISTENT, NamespaceName, TopicName

if TYPE_CHECKING:
    from magnetar_ledger.position import Position

    from magnetar_broker.service import BrokerService

_NAMESPACE = "/{domain:persistent|non-persistent}/{tenant}/{namespace}"
TOPIC = f"{_NAMESPACE}/{{topic}}"


class TopicRoutes:
    """Paths are below `/admin/v2`."""

    def __init__(self, service: BrokerService) -> None:
        self._service = service
        self._catalog = service.catalog
        self._admin = service.admin

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(_NAMESPACE, self.list_topics),
            web.get(f"{_NAMESPACE}/partitioned", self.list_partitioned),
            web.put(TOPIC, self.create),
            web.delete(TOPIC, self.delete),
            web.delete(f"{TOPIC}/truncate", self.truncate),
            web.get(f"{TOPIC}/partitions", self.partitions),
            web.put(f"{TOPIC}/partitions", self.create_partitions),
            web.post(f"{TOPIC}/partitions", self.update_partitions),
            web.delete(f"{TOPIC}/partitions", self.delete_partitions),
            web.post(f"{TOPIC}/createMissedPartitions", self.create_missed_partitions),
            web.put(f"{TOPIC}/unload", self.unload),
            web.post(f"{TOPIC}/terminate", self.terminate),
            web.post(f"{TOPIC}/terminate/partitions", self.terminate_partitions),
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
        name = topic_of(request)
        if await self._catalog.exists(name) or await self._catalog.partitions(name):
            raise TopicExistsError("This topic already exists")
        if name.is_partition:
            await self._check_partition(name)
        await self._admin.create(name)
        return done()

    async def _check_partition(self, name: TopicName) -> None:
        """Clients may make a topic with the name of a partition; administrators know better."""
        count = await self._catalog.partitions(name.parent)
        local, parent = name.local_name, name.parent.local_name
        text = f'Can\'t create topic {local} with "-partition-" followed by '
        if not count:
            raise InvalidTopicNameError(
                f"{text}numeric value if there isn't a partitioned topic {parent} created."
            )
        if name.partition_index >= count:
            raise InvalidTopicNameError(
                f"{text}a number smaller than number of partition of partitioned topic {parent}"
            )

    async def delete(self, request: web.Request) -> web.Response:
        await self._admin.delete(topic_of(request), force=flag(request, "force"))
        return done()

    async def truncate(self, request: web.Request) -> web.Response:
        name = topic_of(request)
        if not name.persistent:
            return refusal(412, "A non-persistent topic keeps nothing that could be truncated")
        await self._admin.truncate(name)
        return done()

    async def partitions(self, request: web.Request) -> web.Response:
        name = topic_of(request)
        if flag(request, "checkAllowAutoCreation"):
            await self._catalog.partitions_for_client(name, may_create=True)
        record = await self._catalog.partitioned(name)
        if record is not None:
            return web.json_response(record.to_json())
        if not flag(request, "checkAllowAutoCreation") and not await self._catalog.exists(name):
            raise TopicNotFoundError(f"Topic {name} not found")
        return web.json_response({"partitions": 0, "deleted": False})

    async def create_partitions(self, request: web.Request) -> web.Response:
        name = topic_of(request)
        if not request.body_exists:
            raise web.HTTPUnsupportedMediaType
        body = await json_body(request)
        properties = body.get("properties") if isinstance(body, dict) else None
        try:
            await self._admin.create_partitioned(name, _partitions_in(body), properties)
        except (TopicConflictError, TooManyTopicsError):
            raise
        except NotAllowedError as error:
            return refusal(406, str(error))
        return done()

    async def update_partitions(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        await self._admin.update_partitions(topic_of(request), _partitions_in(body))
        return done()

    async def create_missed_partitions(self, request: web.Request) -> web.Response:
        await self._admin.create_missed_partitions(topic_of(request))
        return done()

    async def delete_partitions(self, request: web.Request) -> web.Response:
        await self._admin.delete_partitioned(topic_of(request), force=flag(request, "force"))
        return done()

    async def unload(self, request: web.Request) -> web.Response:
        await self._admin.unload(topic_of(request))
        return done()

    async def terminate(self, request: web.Request) -> web.Response:
        position = await self._admin.terminate(_persistent_of(request))
        return web.json_response(message_id(position))

    async def terminate_partitions(self, request: web.Request) -> web.Response:
        positions = await self._admin.terminate_partitions(_persistent_of(request))
        answer = {str(index): message_id(each) for index, each in enumerate(positions)}
        return web.json_response(answer)


def _persistent_of(request: web.Request) -> TopicName:
    name = topic_of(request)
    if not name.persistent:
        raise web.HTTPNotAcceptable(reason="Need to provide a persistent topic name")
    return name


def message_id(position: Position) -> dict[str, int]:
    """An entry's id as the admin API writes it."""
    return {
        "ledgerId": position.ledger_id,
        "entryId": position.entry_id,
        "partitionIndex": -1,
        "batchSize": 0,
        "batchIndex": -1,
    }


def _partitions_in(body: Any) -> int:
    """A bare number, or the form with properties."""
    count = body.get("partitions") if isinstance(body, dict) else body
    if not isinstance(count, int) or isinstance(count, bool):
        raise web.HTTPBadRequest(reason="The body is the number of partitions")
    return count


def _namespace_of(request: web.Request) -> NamespaceName:
    return NamespaceName.parse(f"{request.match_info['tenant']}/{request.match_info['namespace']}")


def topic_of(request: web.Request) -> TopicName:
    parts = request.match_info
    return TopicName.parse(
        f"{parts['domain']}://{parts['tenant']}/{parts['namespace']}/{parts['topic']}"
    )
