"""A new cluster's nodes, in the bytes that Apache's tools write (golden; the real one: interop)."""

import pytest
from magnetar_metadata.cluster_metadata import NewCluster, init_cluster
from magnetar_metadata.errors import UnknownLayoutError, UnknownOutcomeError
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.store import ANY_VERSION, MetadataStore, Stat
from magnetar_metadata.topic_records import Tenant, TopicRecords

from tests.metadata.clocks import ManualClock
from tests.metadata.store_contract import value_of

PEERS = NewCluster(
    name="peers",
    web_service_url="http://127.0.0.1:8080",
    broker_service_url="pulsar://127.0.0.1:6650",
)

# What `initialize-cluster-metadata` of Pulsar 4.0.7 wrote.
TLS = (
    b'"brokerClientTlsEnabled":false,"tlsAllowInsecureConnection":false,'
    b'"brokerClientTlsEnabledWithKeyStore":false,"brokerClientTlsTrustStoreType":"JKS",'
    b'"brokerClientTlsKeyStoreType":"JKS","brokerClientSslFactoryPlugin":'
    b'"org.apache.pulsar.common.util.DefaultPulsarSslFactory"}'
)
GOLDEN = {
    "/bookies": b"{}",
    "/admin/clusters/global": b"{" + TLS,
    "/admin/clusters/peers": b'{"serviceUrl":"http://127.0.0.1:8080",'
    b'"brokerServiceUrl":"pulsar://127.0.0.1:6650",' + TLS,
    "/admin/policies/public": b'{"allowedClusters":["peers"],"adminRoles":[]}',
    "/admin/policies/pulsar": b'{"allowedClusters":["peers"],"adminRoles":[]}',
    "/admin/policies/public/default": b'{"auth_policies":{"namespace_auth":{},'
    b'"destination_auth":{},"subscription_auth_roles":{}},"replication_clusters":["peers"],'
    b'"allowed_clusters":[],"bundles":{"boundaries":["0x00000000","0x10000000","0x20000000",'
    b'"0x30000000","0x40000000","0x50000000","0x60000000","0x70000000","0x80000000","0x90000000",'
    b'"0xa0000000","0xb0000000","0xc0000000","0xd0000000","0xe0000000","0xf0000000","0xffffffff"],'
    b'"numBundles":16},"backlog_quota_map":{},"clusterDispatchRate":{},"topicDispatchRate":{},'
    b'"subscriptionDispatchRate":{},"replicatorDispatchRate":{},"clusterSubscribeRate":{},'
    b'"publishMaxMessageRate":{},"latency_stats_sample_rate":{},"deleted":false,'
    b'"encryption_required":false,"subscription_auth_mode":"None","offload_threshold":-1,'
    b'"offload_threshold_in_seconds":-1,"schema_compatibility_strategy":"UNDEFINED",'
    b'"schema_validation_enforced":false,"subscription_types_enabled":[],"properties":{},'
    b'"migrated":false}',
    "/admin/partitioned-topics/pulsar/system/persistent/transaction_coordinator_assign": (
        b'{"partitions":16,"deleted":false}'
    ),
    "/ledgers/LAYOUT": b"2\norg.apache.bookkeeper.meta.HierarchicalLedgerManagerFactory:1",
    "/ledgers/INSTANCEID": b"an-id",
    "/ledgers/available": b"",
    "/ledgers/available/readonly": b"",
    "/ledgers/cookies": b"",
}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(ManualClock())


async def test_a_new_cluster_has_the_golden_nodes(store: MemoryStore) -> None:
    report = await init_cluster(store, PEERS, "an-id")
    for path, value in GOLDEN.items():
        assert await value_of(store, path) == value, path
    assert (
        await value_of(store, "/admin/policies/pulsar/system")
        == GOLDEN["/admin/policies/public/default"]
    )
    assert report.instance_id == "an-id"
    assert {*GOLDEN, "/admin/policies/pulsar/system"} == set(report.made)
    assert report.kept == report.changed == report.different == []


async def test_a_second_time_changes_nothing(store: MemoryStore) -> None:
    made = (await init_cluster(store, PEERS, "an-id")).made
    before = dict(store._shared.tree.nodes)
    versions = {path: node.version for path, node in before.items()}
    report = await init_cluster(store, PEERS, "another-id")
    assert report.instance_id == "an-id"
    assert set(report.kept) == set(made)
    assert report.made == report.changed == report.different == []
    assert {path: node.version for path, node in store._shared.tree.nodes.items()} == versions


async def test_a_second_cluster_is_added(store: MemoryStore) -> None:
    await init_cluster(store, PEERS, "an-id")
    records = TopicRecords(store)
    await records.tenants.create("mine", Tenant(allowed_clusters=frozenset({"peers"})))
    report = await init_cluster(store, NewCluster(name="other"), "")
    assert report.made == ["/admin/clusters/other"]
    assert set(report.changed) == {
        "/admin/policies/pulsar",
        "/admin/policies/public",
        "/admin/policies/pulsar/system",
        "/admin/policies/public/default",
    }
    tenant = await records.tenants.read("public")
    assert tenant is not None
    assert tenant[0].allowed_clusters == {"peers", "other"}
    mine = await records.tenants.read("mine")
    assert mine is not None
    assert mine[0].allowed_clusters == {"peers"}


async def test_what_differs_is_left_and_told(store: MemoryStore) -> None:
    await init_cluster(store, PEERS, "an-id")
    await store.set("/bookies", b'{"rack":{}}')
    report = await init_cluster(store, NewCluster(name="peers"), "")
    assert set(report.different) == {"/bookies", "/admin/clusters/peers"}
    assert await value_of(store, "/bookies") == b'{"rack":{}}'


async def test_a_layout_of_another_kind_is_refused(store: MemoryStore) -> None:
    await store.create(
        "/ledgers/LAYOUT", b"2\norg.apache.bookkeeper.meta.FlatLedgerManagerFactory:1"
    )
    with pytest.raises(UnknownLayoutError, match="FlatLedgerManagerFactory:1"):
        await init_cluster(store, PEERS, "an-id")
    assert await store.children("/") == ["ledgers"]


class LosingStore:
    """Does each change and loses the reply to the first call for each path."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._lost: set[str] = set()
        self.get = store.get
        self.children = store.children

    async def create(self, path: str, value: bytes) -> str:
        created = await self._store.create(path, value)
        self._lose(path)
        return created

    async def set(self, path: str, value: bytes, version: int = ANY_VERSION) -> Stat:
        stat = await self._store.set(path, value, version)
        self._lose(path)
        return stat

    def _lose(self, path: str) -> None:
        if path not in self._lost:
            self._lost.add(path)
            raise UnknownOutcomeError(path)


async def test_lost_replies_are_got_over(store: MemoryStore) -> None:
    losing: MetadataStore = LosingStore(store)  # type: ignore[assignment]
    report = await init_cluster(losing, PEERS, "an-id")
    for path, value in GOLDEN.items():
        assert await value_of(store, path) == value, path
    assert report.different == []
