"""What subscriptions are to pass over: so many messages, all, or what is old."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote

from aiohttp import web

from magnetar_broker.backlog_admin import (
    check_persistent,
    clear,
    expire_older,
    expire_through,
    skip,
    subscription_of,
)
from magnetar_broker.errors import ConflictError, TopicNotFoundError
from magnetar_broker.http.admin_routes import NAMESPACE
from magnetar_broker.http.bundle_routes import BUNDLE, bundle_of
from magnetar_broker.http.names import namespace_of, topic_of
from magnetar_broker.http.partition_fan import PartitionFan
from magnetar_broker.http.replies import done, json_body
from magnetar_broker.http.route_table import Permission, Routes, route
from magnetar_broker.http.shapes import MESSAGE_ID
from magnetar_broker.http.subscription_routes import SUBSCRIPTION, place_in
from magnetar_broker.http.topic_routes import TOPIC

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic import Topic
    from magnetar_broker.topic_name import TopicName

_CONSUME: Final = Permission.CONSUME
_ADMIN: Final = Permission.TENANT_ADMIN
_COUNT: Final = r"{count:-?\d{1,10}}"
_SECONDS: Final = r"{seconds:\d{1,10}}"
_ABSENT: Final = "404 where there is no such subscription (Pulsar makes it, or says nothing)"


class BacklogRoutes(Routes):
    """Paths are below `/admin/v2`."""

    title: ClassVar[str] = "Backlogs"

    def __init__(self, service: BrokerService) -> None:
        self._service = service
        self._fan = PartitionFan(service)

    @route(
        "POST",
        f"{SUBSCRIPTION}/skip_all",
        "Pass over all that was published",
        permission=_CONSUME,
        differs=_ABSENT,
    )
    async def skip_all(self, request: web.Request) -> web.Response:
        name = request.match_info["subscription"]

        async def clear_here(topic: Topic) -> None:
            clear(subscription_of(topic, name))

        path = f"/subscription/{quote(name, safe='')}/skip_all"
        await self._fan.each(topic_of(request), clear_here, "POST", path)
        return done()

    @route(
        "POST",
        f"{SUBSCRIPTION}/skip/{_COUNT}",
        "Pass over so many entries",
        permission=_CONSUME,
        differs=_ABSENT,
    )
    async def skip(self, request: web.Request) -> web.Response:
        refusal = "Skip messages on a partitioned topic is not allowed"
        topic = await self._fan.one(topic_of(request), refusal)
        subscription = subscription_of(topic, request.match_info["subscription"])
        await skip(subscription, int(request.match_info["count"]))
        return done()

    @route(
        "POST",
        f"{SUBSCRIPTION}/expireMessages/{_SECONDS}",
        "Pass over what is older than so many seconds",
        permission=_CONSUME,
        differs=_ABSENT,
    )
    async def expire(self, request: web.Request) -> web.Response:
        subscription = request.match_info["subscription"]
        path = f"/subscription/{quote(subscription, safe='')}/expireMessages"
        await self._expire(request, path, lambda topic: [subscription])
        return done()

    @route(
        "POST",
        f"{TOPIC}/all_subscription/expireMessages/{_SECONDS}",
        "The same for all subscriptions",
        permission=_CONSUME,
    )
    async def expire_all(self, request: web.Request) -> web.Response:
        path = "/all_subscription/expireMessages"
        await self._expire(request, path, lambda topic: sorted(topic.subscriptions))
        return done()

    async def _expire(
        self, request: web.Request, path: str, names: Callable[[Topic], list[str]]
    ) -> None:
        name, seconds = topic_of(request), int(request.match_info["seconds"])
        check_persistent(name.persistent, "Expire messages")
        before_ms = self._service.clock.wall_ms() - seconds * 1000

        async def expire_here(topic: Topic) -> None:
            refused: ConflictError | None = None
            for each in names(topic):
                try:
                    await expire_older(subscription_of(topic, each), before_ms)
                except ConflictError as error:  # others may have something to pass over
                    refused = refused or error
            if refused is not None:
                raise refused

        await self._fan.each(name, expire_here, "POST", f"{path}/{seconds}")

    @route(
        "POST",
        f"{SUBSCRIPTION}/expireMessages",
        "Pass over all up to a message, it too unless the body has `isExcluded`",
        body=MESSAGE_ID,
        permission=_CONSUME,
        differs=_ABSENT,
    )
    async def expire_to(self, request: web.Request) -> web.Response:
        name = topic_of(request)
        check_persistent(name.persistent, "Expire messages")
        refusal = "Expire message at position is not supported for partitioned-topic"
        topic = await self._fan.one(name, refusal)
        subscription = subscription_of(topic, request.match_info["subscription"])
        body = await json_body(request)
        place = place_in(body)
        excluded = place.excluded or (isinstance(body, dict) and body.get("isExcluded") is True)
        expire_through(subscription, place.position, excluded=excluded)
        return done()

    # Of namespaces and bundles.

    @route(
        "POST",
        f"{NAMESPACE}/clearBacklog",
        "All subscriptions of a namespace pass over all that was published",
        permission=_ADMIN,
        differs="404 where there is no such namespace",
    )
    async def clear_namespace(self, request: web.Request) -> web.Response:
        await self._for_topics(request, self._clear_topic)
        return done()

    @route(
        "POST",
        f"{NAMESPACE}/clearBacklog/{{subscription}}",
        "The same for one subscription of all topics",
        permission=_ADMIN,
        differs="404 where there is no such namespace",
    )
    async def clear_namespace_subscription(self, request: web.Request) -> web.Response:
        return await self.clear_namespace(request)

    @route("POST", f"{BUNDLE}/clearBacklog", "The same for a bundle", permission=_ADMIN)
    async def clear_bundle(self, request: web.Request) -> web.Response:
        return await self.clear_namespace(request)

    @route(
        "POST",
        f"{BUNDLE}/clearBacklog/{{subscription}}",
        "The same for one subscription of a bundle",
        permission=_ADMIN,
    )
    async def clear_bundle_subscription(self, request: web.Request) -> web.Response:
        return await self.clear_namespace(request)

    @route(
        "POST",
        f"{NAMESPACE}/unsubscribe/{{subscription}}",
        "Delete a subscription of all topics of a namespace",
        permission=_ADMIN,
    )
    async def unsubscribe(self, request: web.Request) -> web.Response:
        await self._for_topics(request, self._unsubscribe)
        return done()

    @route(
        "POST",
        f"{BUNDLE}/unsubscribe/{{subscription}}",
        "Delete a subscription of all topics of a bundle",
        permission=_ADMIN,
    )
    async def unsubscribe_bundle(self, request: web.Request) -> web.Response:
        return await self.unsubscribe(request)

    async def _for_topics(
        self,
        request: web.Request,
        work: Callable[[TopicName, list[str]], Awaitable[Any]],
    ) -> None:
        """Do something to the chosen subscriptions of each persistent topic that has them."""
        name, service = namespace_of(request), self._service
        await service.namespaces.policies(name)
        bundle = await bundle_of(service, request) if "bundle" in request.match_info else None
        wanted = request.match_info.get("subscription")
        for topic in await service.catalog.topics(name):
            if bundle is not None and service.bundle_maps.bundle_of(topic) != bundle:
                continue
            try:
                names = await self._subscriptions(topic)
            except TopicNotFoundError:
                continue  # it went meanwhile
            chosen = [each for each in names if wanted in (None, each)]
            if chosen:
                await work(topic, chosen)

    async def _subscriptions(self, topic: TopicName) -> list[str]:
        elsewhere = self._service.admin.elsewhere
        if elsewhere is not None:
            return await elsewhere.subscriptions(topic)
        return list((await self._service.admin.loaded(topic)).subscriptions)

    async def _clear_topic(self, topic: TopicName, names: list[str]) -> None:
        elsewhere = self._service.admin.elsewhere
        for name in names:
            if elsewhere is not None:
                path = f"/subscription/{quote(name, safe='')}/skip_all"
                await elsewhere.call("POST", topic, path)
            else:
                clear(subscription_of(await self._service.admin.loaded(topic), name))

    async def _unsubscribe(self, topic: TopicName, names: list[str]) -> None:
        elsewhere = self._service.admin.elsewhere
        for name in names:
            if elsewhere is not None:
                await elsewhere.delete_subscription(topic, name, force=False)
            else:
                await self._service.admin.delete_subscription(topic, name, force=False)
