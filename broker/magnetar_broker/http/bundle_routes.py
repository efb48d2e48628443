"""Bundles of namespaces: which there are, unloaded and split."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

from aiohttp import web
from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.namespace_bundles import Bundle, median, middle, topic_hash

from magnetar_broker.http.names import namespace_of
from magnetar_broker.http.owner_redirect import redirect_to
from magnetar_broker.http.replies import done, flag, refusal
from magnetar_broker.http.route_table import Parameter, Permission, Routes, route
from magnetar_broker.http.shapes import AUTHORITATIVE, INT, TEXTS, flag_of, record

if TYPE_CHECKING:
    from magnetar_broker.ownership.cluster_ownership import ClusterOwnership, SplitPoint
    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic_name import TopicName

_NAMESPACE: Final = "/namespaces/{tenant}/{namespace}"
BUNDLE: Final = f"{_NAMESPACE}/{{bundle:0x[0-9a-f]{{8}}_0x[0-9a-f]{{8}}}}"
_BY_RANGE: Final = "range_equally_divide"
_BY_TOPICS: Final = "topic_count_equally_divide"


class BundleRoutes(Routes):
    """Paths are below `/admin/v2`."""

    title: ClassVar[str] = "Bundles"

    def __init__(self, service: BrokerService) -> None:
        self._service = service

    @route(
        "GET",
        f"{_NAMESPACE}/bundles",
        "How a namespace is split into bundles",
        answer=record({"boundaries": TEXTS, "numBundles": INT}),
        permission=Permission.TENANT_ADMIN,
    )
    async def bundles(self, request: web.Request) -> web.Response:
        name = namespace_of(request)
        await self._service.namespaces.policies(name)
        found = await self._service.bundle_maps.of(str(name))
        boundaries = list(found.bundles.boundaries)
        return web.json_response({"boundaries": boundaries, "numBundles": len(boundaries) - 1})

    @route(
        "PUT",
        f"{_NAMESPACE}/unload",
        "Close all topics of a namespace, whichever brokers have them",
        permission=Permission.TENANT_ADMIN,
    )
    async def unload_namespace(self, request: web.Request) -> web.Response:
        """Close all topics of a namespace, whichever brokers have them."""
        name = namespace_of(request)
        await self._service.namespaces.policies(name)
        cluster, elsewhere = self._service.cluster, self._service.admin.elsewhere
        if cluster is None or elsewhere is None:
            await self._service.topics.close_those(lambda topic: topic.namespace == name)
            return done()
        for bundle in await cluster.ownership.owned_by_anybody(str(name)):
            await elsewhere.unload_bundle(bundle)
        return done()

    @route(
        "PUT",
        f"{BUNDLE}/unload",
        "Close the topics of a bundle, which another broker may have then",
        query=(AUTHORITATIVE,),
        permission=Permission.TENANT_ADMIN,
    )
    async def unload(self, request: web.Request) -> web.Response:
        """Close the topics of a bundle, which another broker may have then."""
        bundle = await bundle_of(self._service, request)
        ownership = await self._owner(request, bundle)
        if ownership is None:
            await self._service.topics.close_those(self._of(bundle))
        else:
            await ownership.unload(bundle)
        return done()

    @route(
        "PUT",
        f"{BUNDLE}/split",
        "Split a bundle",
        query=(
            AUTHORITATIVE,
            flag_of("unload", "other brokers may have the parts then"),
            Parameter("splitAlgorithmName", "range_equally_divide or topic_count_equally_divide"),
        ),
        permission=Permission.TENANT_ADMIN,
    )
    async def split(self, request: web.Request) -> web.Response:
        """Split a bundle; with `unload=true` other brokers may have its parts then."""
        bundle = await bundle_of(self._service, request)
        algorithm = request.query.get("splitAlgorithmName") or _BY_RANGE
        points = {_BY_RANGE: middle, _BY_TOPICS: self._by_topics}
        if algorithm not in points:
            return refusal(412, f"Split algorithm {algorithm} is not supported")
        ownership = await self._owner(request, bundle)
        if ownership is None:
            return refusal(405, "A broker that is alone has nobody to give half of a bundle to")
        point: SplitPoint = points[algorithm]
        parts = await ownership.split(bundle, point)
        for part in parts if flag(request, "unload") else ():
            await ownership.unload(part)
        return done()

    async def _owner(self, request: web.Request, bundle: Bundle) -> ClusterOwnership | None:
        """What has the bundle here, None if this broker is alone; raises where to go else."""
        cluster = self._service.cluster
        if cluster is None:
            return None
        where = await cluster.ownership.look_up_bundle(
            bundle, authoritative=flag(request, "authoritative")
        )
        if not where.here:
            raise redirect_to(request, where)
        return cluster.ownership

    def _of(self, bundle: Bundle) -> Callable[[TopicName], bool]:
        return lambda name: self._service.bundle_maps.bundle_of(name) == bundle

    def _by_topics(self, bundle: Bundle) -> int | None:
        belongs, loaded = self._of(bundle), self._service.topics.loaded.values()
        hashes = [topic_hash(str(topic.name)) for topic in loaded if belongs(topic.name)]
        return median(bundle, hashes)


async def bundle_of(service: BrokerService, request: web.Request) -> Bundle:
    """The bundle in a path. Raises BrokerError, web.HTTPException if there is none such."""
    name = namespace_of(request)
    await service.namespaces.policies(name)
    found = await service.bundle_maps.of(str(name))
    try:
        bundle = Bundle.parse(f"{name}/{request.match_info['bundle']}")
    except MalformedRecordError as error:
        raise web.HTTPBadRequest(reason=str(error)) from error
    if bundle not in found.bundles:
        raise web.HTTPPreconditionFailed(reason=f"Namespace {name} has no bundle {bundle.range}")
    return bundle
