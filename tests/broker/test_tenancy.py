"""Clusters and tenants: what is refused leaves nothing behind."""

import pytest
from magnetar_broker.errors import ConflictError, MalformedRequestError, PreconditionError
from magnetar_broker.tenancy import cluster_of

from tests.broker.conftest import Broker


def test_a_cluster_keeps_what_is_not_known_here() -> None:
    cluster = cluster_of({"serviceUrlTls": "https://h:1", "peerClusterNames": ["a"]})
    assert cluster.to_json()["peerClusterNames"] == ["a"]


@pytest.mark.parametrize(
    "data",
    [None, [], "", {"serviceUrlTls": "http://h"}, {"brokerServiceUrlTls": "pulsar://h"}],
)
def test_what_is_no_cluster(data: object) -> None:
    with pytest.raises(MalformedRequestError):
        cluster_of(data)


async def test_a_tenant_that_is_refused_is_not_made(broker: Broker) -> None:
    tenancy = broker.service.tenancy
    with pytest.raises(PreconditionError):
        await tenancy.create_tenant("t", {"allowedClusters": ["nope"]})
    assert await broker.service.namespaces.tenant("t") is None


async def test_a_name_that_is_a_path_is_refused(broker: Broker) -> None:
    with pytest.raises(PreconditionError):
        await broker.service.tenancy.create_tenant("..", {"allowedClusters": ["standalone"]})


async def test_a_change_keeps_what_others_wrote_of_a_tenant(broker: Broker) -> None:
    tenancy, info = broker.service.tenancy, {"allowedClusters": ["standalone"]}
    await broker.store.create(
        "/admin/policies/t", b'{"adminRoles":[],"allowedClusters":[],"future":1}'
    )
    await tenancy.update_tenant("t", info)
    assert (await broker.service.namespaces.tenant("t") or {})["future"] == 1
    with pytest.raises(ConflictError):
        await tenancy.create_tenant("t", info)
