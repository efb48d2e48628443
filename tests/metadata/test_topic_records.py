"""Tenants, namespaces, clusters and partitioned topics in Pulsar's JSON."""

import json

import pytest
from magnetar_metadata.errors import BadVersionError, MalformedRecordError
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.topic_records import (
    Cluster,
    LocalPolicies,
    PartitionedTopic,
    Policies,
    Tenant,
    TopicRecords,
    bundle_boundaries,
    decode_json,
    encode_json,
    partitioned_topic_name,
)

from tests.metadata.clocks import ManualClock
from tests.metadata.store_contract import value_of

FOUR = ["0x00000000", "0x40000000", "0x80000000", "0xc0000000", "0xffffffff"]


def test_boundaries_are_equal_parts() -> None:
    assert list(bundle_boundaries(4)) == FOUR
    assert bundle_boundaries(1) == ("0x00000000", "0xffffffff")
    assert bundle_boundaries(3) == ("0x00000000", "0x55555555", "0xaaaaaaaa", "0xffffffff")


def test_a_fresh_namespace_is_what_pulsar_writes() -> None:
    record = json.loads(encode_json(Policies(frozenset({"standalone"}))))
    assert record["replication_clusters"] == ["standalone"]
    assert record["bundles"] == {"boundaries": FOUR, "numBundles": 4}
    assert record["deleted"] is False
    assert record["offload_threshold"] == -1
    assert record["schema_compatibility_strategy"] == "UNDEFINED"
    assert None not in record.values()


@pytest.mark.parametrize(
    "record",
    [
        Cluster("http://h:8080", "pulsar://h:6650", {"peerClusterNames": ["x"]}),
        Cluster(),
        Tenant(frozenset({"admin"}), frozenset({"standalone"}), {"later": 1}),
        Tenant(),
        Policies(frozenset({"a", "b"}), settings={"message_ttl_in_seconds": 60, "migrated": True}),
        Policies(deleted=True, boundaries=bundle_boundaries(8)),
        LocalPolicies(),
        LocalPolicies(bundle_boundaries(2), {"namespaceAntiAffinityGroup": "g"}),
        PartitionedTopic(4),
        PartitionedTopic(4, True, {"k": "v"}, {"later": [1]}),
    ],
    ids=lambda record: type(record).__name__,
)
def test_records_come_back_with_what_others_put_there(
    record: Cluster | Tenant | Policies | LocalPolicies | PartitionedTopic,
) -> None:
    assert decode_json(type(record), encode_json(record)) == record


def test_absent_and_null_fields_are_defaults() -> None:
    assert decode_json(Tenant, b'{"adminRoles": null}') == Tenant()
    assert decode_json(Policies, b'{"retention_policies": null}') == Policies()
    assert decode_json(LocalPolicies, b'{"bundles": {"numBundles": 2}}') == LocalPolicies(
        bundle_boundaries(2)
    )


@pytest.mark.parametrize("value", [b"", b"[]", b"\xff", b'{"partitions": "x"}', b"{}", b"null"])
def test_foreign_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(MalformedRecordError):
        decode_json(PartitionedTopic, value)


async def test_paths_and_versions() -> None:
    store = MemoryStore(ManualClock())
    records = TopicRecords(store)
    await records.clusters.create("standalone", Cluster())
    await records.tenants.create("public", Tenant())
    version = await records.namespaces.create("public/default", Policies())
    await records.local_policies.create("public/default", LocalPolicies())
    topic = partitioned_topic_name("public", "default", "persistent", "my topic")
    await records.partitioned_topics.create(topic, PartitionedTopic(3))
    for path in (
        "/admin/clusters/standalone",
        "/admin/policies/public",
        "/admin/policies/public/default",
        "/admin/local-policies/public/default",
        "/admin/partitioned-topics/public/default/persistent/my+topic",
    ):
        assert json.loads(await value_of(store, path)) is not None
    assert await records.tenants.names() == ["public"]
    assert await records.namespaces.names("public") == ["default"]
    assert await records.partitioned_topic_names("public", "default") == ["my topic"]
    assert await records.namespaces.read("public/default") == (Policies(), version)
    deleted = Policies(deleted=True)
    version = await records.namespaces.write("public/default", deleted, version)
    assert await records.namespaces.read("public/default") == (deleted, version)
    with pytest.raises(BadVersionError):
        await records.namespaces.delete("public/default", version - 1)
    await records.namespaces.delete("public/default")
    assert await records.namespaces.read("public/default") is None
