"""Brokers and bookies: configuration, what each owns, figures of all topics in short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from aiohttp import web
from magnetar_metadata.bookie_racks import BookieRacks
from magnetar_metadata.bookie_registry import BookieRegistry

from magnetar_broker.errors import AbsentError, PreconditionError
from magnetar_broker.http.replies import done
from magnetar_broker.http.route_table import Routes, route
from magnetar_broker.http.shapes import OBJECT, PROPERTIES, TEXT, TEXTS, list_of, map_of, record
from magnetar_broker.stats.topic_stats import TopicStats

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic import Topic

_NOTHING_LIVE: Final = "no key can be changed while a broker runs: the list is empty"
_SUBSCRIPTION_FIELDS: Final = (
    "msgBacklog",
    "msgRateExpired",
    "msgRateOut",
    "messageAckRate",
    "msgThroughputOut",
    "msgRateRedeliver",
    "type",
)
_TOPIC_FIELDS: Final = (
    "averageMsgSize",
    "msgRateIn",
    "msgRateOut",
    "msgThroughputIn",
    "msgThroughputOut",
    "storageSize",
    "backlogSize",
)


class BrokerRoutes(Routes):
    """Paths are below `/admin/v2`."""

    title: ClassVar[str] = "Configuration, ownership, bookies"

    def __init__(self, service: BrokerService) -> None:
        self._service = service
        self._id = service.config.broker_id
        self._stats = TopicStats(service.sampler, self._id)

    @route(
        "GET",
        "/brokers/configuration",
        "The keys that can be changed while brokers run",
        answer=TEXTS,
        differs=_NOTHING_LIVE,
    )
    async def dynamic_keys(self, request: web.Request) -> web.Response:
        return web.json_response([])

    @route(
        "GET",
        "/brokers/configuration/values",
        "The keys that were changed while brokers ran",
        answer=PROPERTIES,
    )
    async def dynamic_values(self, request: web.Request) -> web.Response:
        return web.json_response({})

    @route(
        "GET",
        "/brokers/configuration/runtime",
        "What the broker runs with, by Pulsar's keys",
        answer=PROPERTIES,
        differs="the keys of who it is and what it makes by itself, not all",
    )
    async def runtime(self, request: web.Request) -> web.Response:
        config = self._service.config
        values = {
            "clusterName": config.cluster,
            "advertisedAddress": config.advertised_host,
            "brokerServicePort": config.broker_port,
            "webServicePort": config.web_port,
            "allowAutoTopicCreation": config.allow_auto_topic_creation,
            "defaultNumPartitions": config.default_partitions,
            "allowAutoSubscriptionCreation": config.allow_auto_subscription_creation,
            "enablePersistentTopics": config.persistent_topics,
            "enableNonPersistentTopics": config.non_persistent_topics,
            "forceDeleteNamespaceAllowed": config.force_delete_namespaces,
        }
        return web.json_response({key: _text(value) for key, value in values.items()})

    @route(
        "POST",
        "/brokers/configuration/{key}/{value}",
        "Change a key while brokers run; refused with 412",
        differs=_NOTHING_LIVE,
    )
    async def change_key(self, request: web.Request) -> web.Response:
        raise PreconditionError("Can't update non-dynamic configuration")

    @route(
        "DELETE",
        "/brokers/configuration/{key}",
        "Take a change back; refused with 412",
        differs=_NOTHING_LIVE,
    )
    async def forget_key(self, request: web.Request) -> web.Response:
        raise PreconditionError("Can't delete non-dynamic configuration")

    @route(
        "GET",
        "/brokers/{cluster}/{broker}/ownedNamespaces",
        "The bundles that a broker has",
        answer=map_of(OBJECT),
        differs="asked of the broker itself; of a standalone, the bundles of loaded topics",
    )
    async def owned(self, request: web.Request) -> web.Response:
        broker = request.match_info["broker"]
        if broker != self._id:
            raise AbsentError(f"Broker id '{broker}' not found in available brokers.")
        state = {"broker_assignment": "shared", "is_controlled": False, "is_active": True}
        return web.json_response(dict.fromkeys(await self._by_bundle(), state))

    async def _by_bundle(self) -> dict[str, list[Topic]]:
        """The topics that are loaded, by the names of their bundles."""
        found: dict[str, list[Topic]] = {}
        for topic in list(self._service.topics.loaded.values()):
            bundles = (await self._service.bundle_maps.of(str(topic.name.namespace))).bundles
            found.setdefault(str(bundles.bundle_of(str(topic.name))), []).append(topic)
        return found

    @route(
        "GET",
        "/broker-stats/topics",
        "Figures of all topics of the broker that is asked, in short",
        answer=OBJECT,
    )
    async def topics(self, request: web.Request) -> web.Response:
        answer: dict[str, Any] = {}
        for name, topics in (await self._by_bundle()).items():
            namespace, _, bundle = name.rpartition("/")
            of_bundle = answer.setdefault(namespace, {}).setdefault(bundle, {})
            for topic in topics:
                of_domain = of_bundle.setdefault(topic.name.domain, {})
                of_domain[str(topic.name)] = _in_short(self._stats.of_topic(topic))
        return web.json_response(answer)

    @route(
        "GET",
        "/bookies/all",
        "All bookies that are registered",
        answer=record({"bookies": list_of(record({"bookieId": TEXT}))}),
        differs="a standalone's bookie is in its process, and registers nowhere",
    )
    async def bookies(self, request: web.Request) -> web.Response:
        registry = BookieRegistry(self._service.store)
        return web.json_response(
            {"bookies": [{"bookieId": each} for each in sorted(await registry.registered())]}
        )

    @route(
        "GET",
        "/bookies/racks-info",
        "In which racks bookies are, by groups",
        answer=map_of(map_of(OBJECT)),
    )
    async def racks(self, request: web.Request) -> web.Response:
        return web.json_response(await BookieRacks(self._service.store).groups())

    @route(
        "GET",
        "/bookies/racks-info/{bookie}",
        "In which rack a bookie is",
        answer=OBJECT,
    )
    async def rack(self, request: web.Request) -> web.Response:
        bookie = request.match_info["bookie"]
        for group in (await BookieRacks(self._service.store).groups()).values():
            if bookie in group:
                return web.json_response(group[bookie])
        raise AbsentError(f"Bookie rack placement configuration not found: {bookie}")

    @route("GET", "/brokers/backlog-quota-check", "Have backlogs looked at now")
    async def check_quotas(self, request: web.Request) -> web.Response:
        await self._service.upkeep.check_backlogs()
        return done()


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _in_short(stats: dict[str, Any]) -> dict[str, Any]:
    """The fields that Pulsar gives of each topic here."""
    subscriptions = {
        name: {
            "consumers": each["consumers"],
            **{field: each[field] for field in _SUBSCRIPTION_FIELDS if field in each},
            "numberOfEntriesSinceFirstNotAckedMessage": each["msgBacklog"],
            "totalNonContiguousDeletedMessagesRange": each["nonContiguousDeletedMessagesRanges"],
        }
        for name, each in stats["subscriptions"].items()
    }
    return {
        "publishers": stats["publishers"],
        "replication": {},
        "subscriptions": subscriptions,
        "producerCount": len(stats["publishers"]),
        **{field: stats[field] for field in _TOPIC_FIELDS},
        "msgInCount": stats["msgInCounter"],
        "bytesInCount": stats["bytesInCounter"],
        "msgOutCount": stats["msgOutCounter"],
        "bytesOutCount": stats["bytesOutCounter"],
        "pendingAddEntriesCount": 0,
        "filteredEntriesCount": 0,
    }
