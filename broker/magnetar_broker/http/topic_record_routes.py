"""What metadata has of topics and subscriptions: properties, ledgers, cursors; trimming."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote

from aiohttp import web
from magnetar_metadata.managed_ledger_info import CursorInfo, ManagedLedgerInfo

from magnetar_broker.backlog_admin import check_persistent, subscription_of
from magnetar_broker.errors import TopicNotFoundError
from magnetar_broker.http.names import topic_of
from magnetar_broker.http.partition_fan import PartitionFan
from magnetar_broker.http.replies import done, json_body, properties_in
from magnetar_broker.http.route_table import Parameter, Permission, Routes, route
from magnetar_broker.http.shapes import OBJECT, PROPERTIES
from magnetar_broker.http.subscription_routes import SUBSCRIPTION
from magnetar_broker.http.topic_routes import TOPIC, persistent_of
from magnetar_broker.topic_reading import cursor_of, log_of

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic import Topic
    from magnetar_broker.topic_name import TopicName

_ADMIN: Final = Permission.TENANT_ADMIN


class TopicRecordRoutes(Routes):
    """Paths are below `/admin/v2`."""

    title: ClassVar[str] = "Properties and records of topics"

    def __init__(self, service: BrokerService) -> None:
        self._admin = service.admin
        self._catalog = service.catalog
        self._fan = PartitionFan(service)

    @route(
        "GET",
        f"{TOPIC}/properties",
        "What is written down beside a topic",
        answer=PROPERTIES,
        permission=_ADMIN,
    )
    async def properties(self, request: web.Request) -> web.Response:
        name = persistent_of(request)
        record = await self._catalog.partitioned(name)
        if record is None:
            found = (await self._admin.loaded(name)).ledger.properties
        elif record.properties:
            found = record.properties
        else:
            return web.Response()
        return web.json_response(dict(found))

    @route(
        "PUT",
        f"{TOPIC}/properties",
        "Add to the properties, or replace those of the same name",
        body=PROPERTIES,
        permission=_ADMIN,
    )
    async def set_properties(self, request: web.Request) -> web.Response:
        await self._change(persistent_of(request), properties_in(await json_body(request)))
        return done()

    @route(
        "DELETE",
        f"{TOPIC}/properties",
        "Forget a property",
        query=(Parameter("key", "its name; nothing is done without"),),
        permission=_ADMIN,
    )
    async def remove_property(self, request: web.Request) -> web.Response:
        key = request.query.get("key")
        name = persistent_of(request)
        await self._change(name, {} if key is None else {key: None})
        return done()

    async def _change(self, name: TopicName, changes: dict[str, Any]) -> None:
        if await self._catalog.partitions(name):
            await self._catalog.change_properties(name, changes)
        else:
            await log_of(await self._admin.loaded(name)).change_properties(changes)

    @route(
        "GET",
        f"{SUBSCRIPTION}/properties",
        "What is written down beside a subscription",
        answer=PROPERTIES,
        permission=Permission.CONSUME,
        differs="404 where there is no such subscription (Pulsar makes it)",
    )
    async def subscription_properties(self, request: web.Request) -> web.Response:
        subscription = request.match_info["subscription"]

        async def read(topic: Topic) -> dict[str, str]:
            return dict(cursor_of(subscription_of(topic, subscription)).properties)

        path = f"/subscription/{quote(subscription, safe='')}/properties"
        found: dict[str, str] = {}
        for each in await self._fan.each(topic_of(request), read, "GET", path):
            found.update(each or {})
        return web.json_response(found)

    @route(
        "PUT",
        f"{SUBSCRIPTION}/properties",
        "Replace the properties of a subscription",
        body=PROPERTIES,
        permission=Permission.CONSUME,
        differs="404 where there is no such subscription (Pulsar makes it)",
    )
    async def set_subscription_properties(self, request: web.Request) -> web.Response:
        subscription = request.match_info["subscription"]
        properties = properties_in(await json_body(request))

        async def write(topic: Topic) -> None:
            await cursor_of(subscription_of(topic, subscription)).set_properties(properties)

        path = f"/subscription/{quote(subscription, safe='')}/properties"
        await self._fan.each(topic_of(request), write, "PUT", path, properties)
        return done()

    @route(
        "POST",
        f"{TOPIC}/trim",
        "Delete the ledgers that neither a subscription nor retention holds",
        permission=_ADMIN,
    )
    async def trim(self, request: web.Request) -> web.Response:
        name = topic_of(request)
        check_persistent(name.persistent, "Trim")

        async def trim(topic: Topic) -> None:
            await log_of(topic).trim()

        await self._fan.each(name, trim, "POST", "/trim")
        return web.Response()  # 200, as Pulsar

    @route(
        "GET",
        f"{TOPIC}/internal-info",
        "Ledgers and cursors as metadata has them, whether the topic is loaded or not",
        answer=OBJECT,
        permission=_ADMIN,
        any_broker=True,
        differs="404 where there is no such topic (Pulsar: 500)",
    )
    async def internal_info(self, request: web.Request) -> web.Response:
        name = persistent_of(request)
        count = await self._catalog.partitions(name)
        if not count:
            return web.json_response(await self._info(name))
        partitions = [name.partition(index) for index in range(count)]
        infos = {
            str(each): await self._info(each)
            for each in partitions
            if await self._catalog.exists(each)
        }
        return web.json_response({"version": 0, "partitions": infos})

    async def _info(self, name: TopicName) -> dict[str, Any]:
        registry = self._catalog.registry
        node = await registry.node(name.ledger_name)
        if node is None:
            raise TopicNotFoundError(f"Topic {name} not found")
        info = ManagedLedgerInfo.decode(node.value)
        answer = {**_times(node.stat), "ledgers": [_ledger(each) for each in info.ledgers]}
        if info.terminated_position is not None:
            answer["terminatedPosition"] = _position(info.terminated_position)
        cursors = {}
        for cursor in await registry.cursor_names(name.ledger_name):
            stored = await registry.node(name.ledger_name, cursor)
            if stored is not None:
                cursors[cursor] = _cursor(CursorInfo.decode(stored.value), stored.stat)
        answer["cursors"] = cursors
        return {**answer, "properties": dict(info.properties)} if info.properties else answer


def _times(stat: Any) -> dict[str, Any]:
    return {
        "version": stat.version,
        "creationDate": _date(stat.created_ms),
        "modificationDate": _date(stat.modified_ms),
    }


def _date(time_ms: int) -> str:
    text = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _ledger(ledger: Any) -> dict[str, Any]:
    answer = {"ledgerId": ledger.ledger_id}
    if ledger.entries:
        answer |= {"entries": ledger.entries, "size": ledger.size}
    if ledger.timestamp_ms:
        answer["timestamp"] = ledger.timestamp_ms
    return {**answer, "isOffloaded": False}


def _position(key: tuple[int, int]) -> dict[str, int]:
    return {"ledgerId": key[0], "entryId": key[1]}


def _cursor(info: CursorInfo, stat: Any) -> dict[str, Any]:
    answer = {**_times(stat), "cursorsLedgerId": info.cursor_ledger_id}
    if info.mark_delete is not None:
        answer["markDelete"] = _position(info.mark_delete)
    if info.individual_deleted:
        answer["individualDeletedMessages"] = [
            {"lowerEndpoint": _position(low), "upperEndpoint": _position(high)}
            for low, high in info.individual_deleted
        ]
    if info.properties:
        answer["properties"] = dict(info.properties)
    if info.cursor_properties:
        answer["cursorProperties"] = dict(info.cursor_properties)
    return answer
