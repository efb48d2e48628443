"""Topics and their partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from aiohttp import web

from magnetar_broker.errors import (
    InvalidTopicNameError,
    NotAllowedError,
    TooManyTopicsError,
    TopicConflictError,
    TopicExistsError,
    TopicNotFoundError,
)
from magnetar_broker.http.names import namespace_of, topic_of
from magnetar_broker.http.replies import done, flag, json_body, properties_in, refusal
from magnetar_broker.http.route_table import Permission, Routes, route
from magnetar_broker.http.shapes import (
    AUTHORITATIVE,
    FORCE,
    INT,
    MESSAGE_ID,
    PROPERTIES,
    TEXTS,
    flag_of,
    map_of,
    one_of,
    record,
)
from magnetar_broker.topic_name import PERSISTENT, TopicName

if TYPE_CHECKING:
    from magnetar_ledger.position import Position

    from magnetar_broker.service import BrokerService

NAMESPACE_TOPICS: Final = "/{domain:persistent|non-persistent}/{tenant}/{namespace}"
TOPIC: Final = f"{NAMESPACE_TOPICS}/{{topic}}"

_MOST_PARTITIONS: Final = 1_000_000
"""Names of more would keep the loop busy for seconds, whatever the configuration allows."""
_PARTITIONED: Final = record({"partitions": INT}, properties=PROPERTIES)


class TopicRoutes(Routes):
    """Paths are below `/admin/v2`."""

    title: ClassVar[str] = "Topics"

    def __init__(self, service: BrokerService) -> None:
        self._service = service
        self._catalog = service.catalog
        self._admin = service.admin

    @route(
        "GET",
        NAMESPACE_TOPICS,
        "The topics of a namespace, partitions one by one",
        answer=TEXTS,
        permission=Permission.TENANT_ADMIN,
    )
    async def list_topics(self, request: web.Request) -> web.Response:
        namespace = namespace_of(request)
        await self._service.namespaces.policies(namespace)
        if request.match_info["domain"] == PERSISTENT:
            names = await self._catalog.topics(namespace)
        else:
            names = self._catalog.non_persistent_topics(namespace)
        return web.json_response([str(name) for name in names])

    @route(
        "GET",
        f"{NAMESPACE_TOPICS}/partitioned",
        "The partitioned topics of a namespace",
        answer=TEXTS,
        permission=Permission.TENANT_ADMIN,
    )
    async def list_partitioned(self, request: web.Request) -> web.Response:
        namespace = namespace_of(request)
        await self._service.namespaces.policies(namespace)
        domain = request.match_info["domain"]
        names = await self._catalog.partitioned_topics(namespace, domain)
        return web.json_response([str(name) for name in names])

    @route(
        "PUT",
        TOPIC,
        "Make a topic",
        body=PROPERTIES,
        query=(AUTHORITATIVE,),
        permission=Permission.TENANT_ADMIN,
    )
    async def create(self, request: web.Request) -> web.Response:
        name = topic_of(request)
        if await self._catalog.exists(name) or await self._catalog.partitions(name):
            raise TopicExistsError("This topic already exists")
        if name.is_partition:
            await self._check_partition(name)
        properties = await json_body(request)
        topic = await self._admin.create(name)
        if isinstance(properties, dict) and properties:
            await topic.ledger.change_properties(properties_in(properties))
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

    @route(
        "DELETE",
        TOPIC,
        "Delete a topic that is not partitioned",
        query=(FORCE, AUTHORITATIVE),
        permission=Permission.TENANT_ADMIN,
    )
    async def delete(self, request: web.Request) -> web.Response:
        await self._admin.delete(topic_of(request), force=flag(request, "force"))
        return done()

    @route(
        "DELETE",
        f"{TOPIC}/truncate",
        "Have all subscriptions be done with what was published, and delete it",
        permission=Permission.TENANT_ADMIN,
    )
    async def truncate(self, request: web.Request) -> web.Response:
        name = topic_of(request)
        if not name.persistent:
            return refusal(412, "A non-persistent topic keeps nothing that could be truncated")
        await self._admin.truncate(name)
        return done()

    @route(
        "GET",
        f"{TOPIC}/partitions",
        "How many partitions a topic has",
        answer=_PARTITIONED,
        query=(flag_of("checkAllowAutoCreation", "make it, if clients may"),),
        any_broker=True,
        permission=Permission.LOOKUP,
    )
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

    @route(
        "PUT",
        f"{TOPIC}/partitions",
        "Make a partitioned topic and its partitions",
        body=one_of(INT, _PARTITIONED),
        any_broker=True,
        permission=Permission.TENANT_ADMIN,
    )
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

    @route(
        "POST",
        f"{TOPIC}/partitions",
        "Give a partitioned topic more partitions",
        body=INT,
        any_broker=True,
        permission=Permission.TENANT_ADMIN,
    )
    async def update_partitions(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        await self._admin.update_partitions(topic_of(request), _partitions_in(body))
        return done()

    @route(
        "POST",
        f"{TOPIC}/createMissedPartitions",
        "Make those partitions that are not there",
        any_broker=True,
        permission=Permission.TENANT_ADMIN,
    )
    async def create_missed_partitions(self, request: web.Request) -> web.Response:
        await self._admin.create_missed_partitions(topic_of(request))
        return done()

    @route(
        "DELETE",
        f"{TOPIC}/partitions",
        "Delete a partitioned topic with its partitions",
        query=(FORCE,),
        any_broker=True,
        permission=Permission.TENANT_ADMIN,
    )
    async def delete_partitions(self, request: web.Request) -> web.Response:
        await self._admin.delete_partitioned(topic_of(request), force=flag(request, "force"))
        return done()

    @route(
        "PUT",
        f"{TOPIC}/unload",
        "Close a topic, which another broker may have then",
        permission=Permission.TENANT_ADMIN,
    )
    async def unload(self, request: web.Request) -> web.Response:
        await self._admin.unload(topic_of(request))
        return done()

    @route(
        "POST",
        f"{TOPIC}/terminate",
        "Let a topic take no message any more; the id of the last one",
        answer=MESSAGE_ID,
        permission=Permission.TENANT_ADMIN,
    )
    async def terminate(self, request: web.Request) -> web.Response:
        position = await self._admin.terminate(persistent_of(request))
        return web.json_response(message_id(position))

    @route(
        "POST",
        f"{TOPIC}/terminate/partitions",
        "The same for all partitions of a topic",
        answer=map_of(MESSAGE_ID),
        any_broker=True,
        permission=Permission.TENANT_ADMIN,
    )
    async def terminate_partitions(self, request: web.Request) -> web.Response:
        positions = await self._admin.terminate_partitions(persistent_of(request))
        answer = {str(index): message_id(each) for index, each in enumerate(positions)}
        return web.json_response(answer)


def persistent_of(request: web.Request) -> TopicName:
    """The topic in a path, which is to be persistent. Raises web.HTTPNotAcceptable."""
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
    if count > _MOST_PARTITIONS:
        raise web.HTTPBadRequest(reason=f"A topic has at most {_MOST_PARTITIONS} partitions")
    return count
