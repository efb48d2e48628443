"""Brokers that share a metadata store, each with a session and ledgers of its own."""

from collections.abc import AsyncIterator

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.ownership.cluster_member import ClusterMember, ClusterOptions
from magnetar_broker.ownership.cluster_ownership import ClusterOwnership
from magnetar_broker.topic_name import TopicName
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.namespace_bundles import Bundle
from magnetar_runtime.scope import TaskScope

from tests.broker.conftest import Broker
from tests.metadata.clocks import ManualClock

OPTIONS = ClusterOptions(session_timeout_ms=60, report_interval_ms=5, linger_ms=1)


class Member(Broker):
    """A broker of the cluster."""

    @property
    def cluster(self) -> ClusterMember:
        assert self.service.cluster is not None
        return self.service.cluster

    @property
    def ownership(self) -> ClusterOwnership:
        return self.cluster.ownership

    async def bundle_of(self, topic: str) -> Bundle:
        name = TopicName.parse(topic)
        found = await self.service.bundle_maps.of(str(name.namespace))
        return found.bundles.bundle_of(str(name))


class Cluster:
    """Brokers on one tree."""

    def __init__(self) -> None:
        self.store = MemoryStore(ManualClock())
        self.scope = TaskScope()
        self.members: list[Member] = []

    async def add(self, name: str, web_port: int = 2) -> Member:
        """One more broker, that is up."""
        config = BrokerConfig(advertised_host=name, broker_port=1, web_port=web_port)
        member = Member(config, self.scope, self.store.new_session(), OPTIONS)
        await member.service.start()
        await member.cluster.start()
        self.members.append(member)
        for each in self.members:
            each.cluster.directory.forget()
        return member

    async def close(self) -> None:
        for member in self.members:
            await member.service.stop()
        await self.scope.close()


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    yield made
    await made.close()


@pytest.fixture
async def one(cluster: Cluster) -> Member:
    """The first broker: the leader."""
    return await cluster.add("one")


@pytest.fixture
async def two(cluster: Cluster, one: Member) -> Member:
    return await cluster.add("two")
