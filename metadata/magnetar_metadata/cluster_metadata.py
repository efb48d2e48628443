"""What a new cluster has in its metadata store, in Pulsar's and BookKeeper's bytes.

The nodes of Pulsar's `initialize-cluster-metadata` and of BookKeeper's `initnewcluster`, without
those of BookKeeper's table service (`/stream`, `/pulsar/functions`), which is not offered here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from magnetar_metadata.ledger_layout import LAYOUT, check_layout
from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.store import (
    BadVersionError,
    MetadataStore,
    NodeExistsError,
    UnknownOutcomeError,
)
from magnetar_metadata.topic_records import (
    Cluster,
    PartitionedTopic,
    Policies,
    Tenant,
    bundle_boundaries,
    decode_json,
    encode_json,
)

SYSTEM_TENANT: Final = "pulsar"
DEFAULT_TENANT: Final = "public"
_NAMESPACES: Final = (f"{SYSTEM_TENANT}/system", f"{DEFAULT_TENANT}/default")
_COORDINATORS_PATH: Final = (
    "/admin/partitioned-topics/pulsar/system/persistent/transaction_coordinator_assign"
)
_ATTEMPTS: Final = 5

_CLUSTER_DEFAULTS: Final[dict[str, Any]] = {
    "brokerClientTlsEnabled": False,
    "tlsAllowInsecureConnection": False,
    "brokerClientTlsEnabledWithKeyStore": False,
    "brokerClientTlsTrustStoreType": "JKS",
    "brokerClientTlsKeyStoreType": "JKS",
    "brokerClientSslFactoryPlugin": "org.apache.pulsar.common.util.DefaultPulsarSslFactory",
}
"""What Pulsar writes for a cluster besides its addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCluster:
    """What there is to choose. The addresses are for other clusters that replicate from here."""

    name: str
    web_service_url: str = ""
    web_service_url_tls: str = ""
    broker_service_url: str = ""
    broker_service_url_tls: str = ""
    bundles: int = 16  # of the two first namespaces
    transaction_coordinators: int = 16
    ledgers_root: str = LEDGERS_ROOT


@dataclass(slots=True)
class InitReport:
    """What was done, by path."""

    instance_id: str = ""
    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # was there as it should be
    changed: list[str] = field(default_factory=list)  # the cluster was added
    different: list[str] = field(default_factory=list)  # was there otherwise, and is left so


async def init_cluster(
    store: MetadataStore, cluster: NewCluster, new_instance_id: str
) -> InitReport:
    """Make what is missing. Called again it changes nothing.

    Args:
        new_instance_id: for a cluster that has none yet, a random UUID as text.

    Raises:
        UnknownLayoutError: the ledgers have another layout; nothing was changed.
        MalformedRecordError: a record is none.
        MetadataError: the store cannot be read or written.
    """
    report = InitReport()
    await _init_ledgers(store, cluster.ledgers_root, new_instance_id, report)
    for path, value in _fixed_nodes(cluster).items():
        await _make(store, path, value, report)
    await _init_tenants(store, cluster, report)
    return report


async def _init_ledgers(
    store: MetadataStore, root: str, new_instance_id: str, report: InitReport
) -> None:
    await check_layout(store, root)
    await _make(store, f"{root}/INSTANCEID", new_instance_id.encode(), report, any_value=True)
    await _make(store, f"{root}/LAYOUT", LAYOUT, report)
    for path in (f"{root}/available", f"{root}/available/readonly", f"{root}/cookies"):
        await _make(store, path, b"", report)
    node = await store.get(f"{root}/INSTANCEID")
    report.instance_id = node.value.decode() if node is not None else ""


def _fixed_nodes(cluster: NewCluster) -> Mapping[str, bytes]:
    """The nodes that depend on nothing that is there."""
    urls = {
        "serviceUrl": cluster.web_service_url,
        "serviceUrlTls": cluster.web_service_url_tls,
        "brokerServiceUrl": cluster.broker_service_url,
        "brokerServiceUrlTls": cluster.broker_service_url_tls,
    }
    given = {key: url for key, url in urls.items() if url}
    return {
        "/bookies": b"{}",  # racks, by bookie
        f"/admin/clusters/{cluster.name}": encode_json(
            Cluster(other={**given, **_CLUSTER_DEFAULTS})
        ),
        "/admin/clusters/global": encode_json(Cluster(other=_CLUSTER_DEFAULTS)),
        _COORDINATORS_PATH: encode_json(PartitionedTopic(cluster.transaction_coordinators)),
    }


async def _init_tenants(store: MetadataStore, cluster: NewCluster, report: InitReport) -> None:
    clusters = frozenset({cluster.name})

    def add_to_tenant(record: Tenant) -> Tenant:
        return replace(record, allowed_clusters=record.allowed_clusters | clusters)

    def add_to_namespace(record: Policies) -> Policies:
        return replace(record, replication_clusters=record.replication_clusters | clusters)

    tenant = Tenant(allowed_clusters=clusters)
    for name in (SYSTEM_TENANT, DEFAULT_TENANT):
        path = f"/admin/policies/{name}"
        await _make_or_add(store, path, tenant, Tenant, add_to_tenant, report)
    policies = _NewPolicies(clusters, bundle_boundaries(cluster.bundles))
    for name in _NAMESPACES:
        path = f"/admin/policies/{name}"
        await _make_or_add(store, path, policies, Policies, add_to_namespace, report)


class _NewPolicies(Policies):
    """Policies as Pulsar's initialisation writes them: without what its admin API adds."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        record = Policies.to_json(self)
        del record["is_allow_auto_update_schema"]
        return record


async def _make(
    store: MetadataStore, path: str, value: bytes, report: InitReport, *, any_value: bool = False
) -> None:
    """Make a node, or note how the one that is there compares."""
    for attempt in range(_ATTEMPTS):
        try:
            await store.create(path, value)
            report.made.append(path)
        except UnknownOutcomeError:
            # Whoever made it, the next attempt finds it or makes it.
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        except NodeExistsError:
            node = await store.get(path)
            same = node is not None and (any_value or node.value == value)
            (report.kept if same else report.different).append(path)
        return


_RecordT = TypeVar("_RecordT", Tenant, Policies)


async def _make_or_add(
    store: MetadataStore,
    path: str,
    record: _RecordT,
    kind: type[_RecordT],
    add: Callable[[_RecordT], _RecordT],
    report: InitReport,
) -> None:
    """Make a record, or add the cluster to the one that is there."""
    for attempt in range(_ATTEMPTS):
        node = await store.get(path)
        try:
            if node is None:
                await store.create(path, encode_json(record))
                report.made.append(path)
            elif not node.value:  # it was made as the parent of another
                await store.set(path, encode_json(record), node.stat.version)
                report.made.append(path)
            elif add(found := decode_json(kind, node.value)) == found:
                report.kept.append(path)
            else:
                await store.set(path, encode_json(add(found)), node.stat.version)
                report.changed.append(path)
        except (NodeExistsError, BadVersionError, UnknownOutcomeError):
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return
