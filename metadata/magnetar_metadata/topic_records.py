"""Tenants, namespaces, clusters and partitioned topics: Pulsar's paths and JSON.

What this broker does not know of a record is kept as it was read, for those that do.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.store import ANY_VERSION, MetadataStore
from magnetar_metadata.topic_paths import decode_name, encode_name

DEFAULT_BUNDLES: Final = 4
_HASH_SPACE: Final = 1 << 32


def bundle_boundaries(count: int) -> tuple[str, ...]:
    """The ends of `count` equal parts of the 32-bit hash space: one more than there are parts."""
    assert count >= 1
    size = _HASH_SPACE // count
    return (*(f"0x{i * size:08x}" for i in range(count)), f"0x{_HASH_SPACE - 1:08x}")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a cluster is reached."""

    service_url: str = ""
    broker_service_url: str = ""
    other: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        known = {"serviceUrl": self.service_url, "brokerServiceUrl": self.broker_service_url}
        return {**{key: value for key, value in known.items() if value}, **self.other}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        return cls(
            service_url=record.pop("serviceUrl", None) or "",
            broker_service_url=record.pop("brokerServiceUrl", None) or "",
            other=record,
        )


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who may administer a tenant, and in which clusters it lives."""

    admin_roles: frozenset[str] = frozenset()
    allowed_clusters: frozenset[str] = frozenset()
    other: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "allowedClusters": sorted(self.allowed_clusters),
            "adminRoles": sorted(self.admin_roles),
            **self.other,
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        return cls(
            admin_roles=frozenset(record.pop("adminRoles", None) or ()),
            allowed_clusters=frozenset(record.pop("allowedClusters", None) or ()),
            other=record,
        )


@dataclass(frozen=True, slots=True)
class Policies:
    """A namespace's policies. `settings` has what was set, by Pulsar's JSON keys."""

    replication_clusters: frozenset[str] = frozenset()
    boundaries: tuple[str, ...] = field(default_factory=lambda: bundle_boundaries(DEFAULT_BUNDLES))
    deleted: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        record = {
            **_DEFAULT_SETTINGS,
            **self.settings,
            "replication_clusters": sorted(self.replication_clusters),
            "bundles": _bundles_to_json(self.boundaries),
            "deleted": self.deleted,
        }
        # In the order of Pulsar, so that equal policies have equal bytes.
        order = {key: place for place, key in enumerate(_KEY_ORDER)}
        last = len(order)
        return {key: record[key] for key in sorted(record, key=lambda key: order.get(key, last))}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        return cls(
            replication_clusters=frozenset(record.pop("replication_clusters", None) or ()),
            boundaries=_boundaries_from_json(record.pop("bundles", None)),
            deleted=bool(record.pop("deleted", False)),
            settings={
                key: value
                for key, value in record.items()
                if value is not None and value != _DEFAULT_SETTINGS.get(key, None)
            },
        )


@dataclass(frozen=True, slots=True)
class LocalPolicies:
    """What holds for a namespace in this cluster: how it is split into bundles."""

    boundaries: tuple[str, ...] = field(default_factory=lambda: bundle_boundaries(DEFAULT_BUNDLES))
    other: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {**self.other, "bundles": _bundles_to_json(self.boundaries)}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        return cls(boundaries=_boundaries_from_json(record.pop("bundles", None)), other=record)


@dataclass(frozen=True, slots=True)
class PartitionedTopic:
    """How many partitions a topic has."""

    partitions: int
    deleted: bool = False
    properties: Mapping[str, str] = field(default_factory=dict)
    other: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        record = {**self.other, "partitions": self.partitions, "deleted": self.deleted}
        return {**record, "properties": dict(self.properties)} if self.properties else record

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        return cls(
            partitions=int(record.pop("partitions")),
            deleted=bool(record.pop("deleted", False)),
            properties=record.pop("properties", None) or {},
            other=record,
        )


class _Record(Protocol):
    def to_json(self) -> dict[str, Any]: ...

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self: ...


RecordT = TypeVar("RecordT", bound=_Record)


class JsonRecords(Generic[RecordT]):
    """Records of one kind under one path. Writes are compare-and-set."""

    def __init__(self, store: MetadataStore, root: str, kind: type[RecordT]) -> None:
        self._store = store
        self._root = root
        self._kind = kind

    async def read(self, name: str) -> tuple[RecordT, int] | None:
        """The record and its version, or None. Raises MalformedRecordError."""
        node = await self._store.get(f"{self._root}/{name}")
        return None if node is None else (decode_json(self._kind, node.value), node.stat.version)

    async def create(self, name: str, record: RecordT) -> int:
        """Keep a new record and return its version. Raises NodeExistsError."""
        await self._store.create(f"{self._root}/{name}", encode_json(record))
        return 0

    async def write(self, name: str, record: RecordT, version: int) -> int:
        """Replace a record and return the new version. Raises NoNodeError, BadVersionError."""
        return (await self._store.set(f"{self._root}/{name}", encode_json(record), version)).version

    async def delete(self, name: str, version: int = ANY_VERSION) -> None:
        """Forget a record. Raises NoNodeError, BadVersionError, NotEmptyError."""
        await self._store.delete(f"{self._root}/{name}", version)

    async def names(self, parent: str = "") -> list[str]:
        """Names below the root, or below `parent`."""
        return await self._store.children(f"{self._root}/{parent}" if parent else self._root)


class TopicRecords:
    """All the records that topics live by.

    Names are: a cluster, a tenant, `tenant/namespace`, and for partitioned topics what
    `partitioned_topic_name` gives.
    """

    def __init__(self, store: MetadataStore) -> None:
        self.clusters = JsonRecords(store, "/admin/clusters", Cluster)
        self.tenants = JsonRecords(store, "/admin/policies", Tenant)
        self.namespaces = JsonRecords(store, "/admin/policies", Policies)
        self.local_policies = JsonRecords(store, "/admin/local-policies", LocalPolicies)
        self.partitioned_topics = JsonRecords(store, "/admin/partitioned-topics", PartitionedTopic)

    async def partitioned_topic_names(
        self, tenant: str, namespace: str, domain: str = "persistent"
    ) -> list[str]:
        """Local names of the partitioned topics of a namespace."""
        names = await self.partitioned_topics.names(f"{tenant}/{namespace}/{domain}")
        return [decode_name(name) for name in names]


def partitioned_topic_name(tenant: str, namespace: str, domain: str, topic: str) -> str:
    """A topic's name among the partitioned topics; `topic` is the local name, not encoded."""
    return f"{tenant}/{namespace}/{domain}/{encode_name(topic)}"


def encode_json(record: _Record) -> bytes:
    return json.dumps(record.to_json(), separators=(",", ":")).encode()


def decode_json(kind: type[RecordT], value: bytes) -> RecordT:
    """Raises MalformedRecordError."""
    try:
        record = json.loads(value)
        if not isinstance(record, dict):
            raise TypeError(f"{type(record).__name__} instead of an object")
        return kind.from_json(record)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise MalformedRecordError(kind.__name__, repr(error)) from error


def _bundles_to_json(boundaries: tuple[str, ...]) -> dict[str, Any]:
    return {"boundaries": list(boundaries), "numBundles": len(boundaries) - 1}


def _boundaries_from_json(bundles: Any) -> tuple[str, ...]:
    if not bundles or not bundles.get("boundaries"):
        return bundle_boundaries((bundles or {}).get("numBundles") or DEFAULT_BUNDLES)
    return tuple(bundles["boundaries"])


# What Pulsar writes for a namespace in which nothing was set.
_DEFAULT_SETTINGS: Final[dict[str, Any]] = {
    "auth_policies": {
        "namespace_auth": {},
        "destination_auth": {},
        "subscription_auth_roles": {},
    },
    "allowed_clusters": [],
    "backlog_quota_map": {},
    "clusterDispatchRate": {},
    "topicDispatchRate": {},
    "subscriptionDispatchRate": {},
    "replicatorDispatchRate": {},
    "clusterSubscribeRate": {},
    "publishMaxMessageRate": {},
    "latency_stats_sample_rate": {},
    "encryption_required": False,
    "subscription_auth_mode": "None",
    "offload_threshold": -1,
    "offload_threshold_in_seconds": -1,
    "schema_compatibility_strategy": "UNDEFINED",
    "is_allow_auto_update_schema": True,
    "schema_validation_enforced": False,
    "subscription_types_enabled": [],
    "properties": {},
    "migrated": False,
}

_KEY_ORDER: Final = (
    "auth_policies",
    "replication_clusters",
    "allowed_clusters",
    "bundles",
    "backlog_quota_map",
    "clusterDispatchRate",
    "topicDispatchRate",
    "subscriptionDispatchRate",
    "replicatorDispatchRate",
    "clusterSubscribeRate",
    "persistence",
    "deduplicationEnabled",
    "autoTopicCreationOverride",
    "autoSubscriptionCreationOverride",
    "publishMaxMessageRate",
    "latency_stats_sample_rate",
    "message_ttl_in_seconds",
    "subscription_expiration_time_minutes",
    "retention_policies",
    "deleted",
    "encryption_required",
    "delayed_delivery_policies",
    "inactive_topic_policies",
    "subscription_auth_mode",
    "max_producers_per_topic",
    "max_consumers_per_topic",
    "max_consumers_per_subscription",
    "max_unacked_messages_per_consumer",
    "max_unacked_messages_per_subscription",
    "max_subscriptions_per_topic",
    "compaction_threshold",
    "offload_threshold",
    "offload_threshold_in_seconds",
    "max_topics_per_namespace",
    "schema_compatibility_strategy",
    "is_allow_auto_update_schema",
    "schema_validation_enforced",
    "deduplicationSnapshotIntervalSeconds",
    "subscription_types_enabled",
    "properties",
    "migrated",
    "dispatcherPauseOnAckStatePersistentEnabled",
)
