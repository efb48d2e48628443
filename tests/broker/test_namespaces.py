"""Tenants, namespaces and the cluster."""

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.errors import MalformedRequestError, NamespaceNotFoundError, TopicExistsError
from magnetar_broker.namespaces import Namespaces
from magnetar_broker.topic_name import NamespaceName
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.topic_records import TopicRecords

from tests.broker.conftest import FakeClock

DEFAULT = NamespaceName("public", "default")
NEW = NamespaceName("public", "new")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(FakeClock())


@pytest.fixture
async def namespaces(store: MemoryStore) -> Namespaces:
    namespaces = Namespaces(TopicRecords(store), BrokerConfig())
    await namespaces.bootstrap()
    return namespaces


async def test_first_start(namespaces: Namespaces) -> None:
    assert await namespaces.clusters() == ["standalone"]
    assert await namespaces.tenants() == ["public", "pulsar"]
    assert await namespaces.names("public") == ["public/default"]
    assert await namespaces.names("pulsar") == ["pulsar/system"]
    assert await namespaces.tenant("public") == {
        "adminRoles": [],
        "allowedClusters": ["standalone"],
    }
    policies = await namespaces.policies(DEFAULT)
    assert policies["replication_clusters"] == ["standalone"]
    assert policies["bundles"]["numBundles"] == 4
    await namespaces.check(DEFAULT)


async def test_second_start_changes_nothing(store: MemoryStore, namespaces: Namespaces) -> None:
    await namespaces.create(NEW, {"message_ttl_in_seconds": 5})
    await namespaces.bootstrap()
    assert await namespaces.names("public") == ["public/default", "public/new"]
    node = await store.get("/admin/policies/public/default")
    assert node is not None
    assert node.stat.version == 0


async def test_no_address_is_kept(store: MemoryStore, namespaces: Namespaces) -> None:
    node = await store.get("/admin/clusters/standalone")
    assert node is not None
    assert node.value == b"{}"
    assert await namespaces.cluster("standalone") == {
        "serviceUrl": "http://localhost:8080",
        "brokerServiceUrl": "pulsar://localhost:6650",
    }
    assert await namespaces.cluster("none") is None
    assert await namespaces.tenant("none") is None


async def test_create(store: MemoryStore, namespaces: Namespaces) -> None:
    settings = {"message_ttl_in_seconds": 5, "bundles": {"numBundles": 8}, "deleted": True}
    await namespaces.create(NEW, settings)
    policies = await namespaces.policies(NEW)
    assert policies["message_ttl_in_seconds"] == 5
    assert policies["replication_clusters"] == ["standalone"]
    assert policies["bundles"]["numBundles"] == 8
    assert policies["deleted"] is False
    assert await store.get("/admin/local-policies/public/new") is not None
    with pytest.raises(TopicExistsError):
        await namespaces.create(NEW, {})


async def test_create_with_other_clusters(namespaces: Namespaces) -> None:
    await namespaces.create(NEW, {"replication_clusters": ["a", "b"]})
    assert (await namespaces.policies(NEW))["replication_clusters"] == ["a", "b"]


async def test_create_with_nonsense(namespaces: Namespaces) -> None:
    with pytest.raises(MalformedRequestError):
        await namespaces.create(NEW, {"bundles": 3})
    with pytest.raises(NamespaceNotFoundError):
        await namespaces.check(NEW)


async def test_unknown_namespace(namespaces: Namespaces) -> None:
    with pytest.raises(NamespaceNotFoundError):
        await namespaces.policies(NEW)
