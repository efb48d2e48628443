"""Partitioned topics of which partitions are with other brokers: one call does it to all."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from magnetar_broker.errors import ServiceNotReadyError, SubscriptionNotFoundError
from magnetar_broker.http.api import add_routes
from magnetar_broker.http.partition_calls import PartitionCalls
from magnetar_broker.topic_name import TopicName

from bench.ports import free_port
from tests.broker.ownership.conftest import Cluster, Member, cluster

__all__ = ["cluster"]

COUNT = 8
PARENT = TopicName.parse("parted")
PATH = "/admin/v2/persistent/public/default/parted"


class World:
    """Two brokers with HTTP on sockets, and a client that asks the first."""

    def __init__(self, members: list[Member], session: aiohttp.ClientSession) -> None:
        self.members = members
        self._session = session

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        url = self.members[0].service.config.web_url + path
        async with self._session.request(method, url, json=body) as answer:
            has_body = answer.content_type == "application/json"
            return answer.status, await answer.json() if has_body else None

    async def spread(self) -> None:
        """Each of the two has some of the partitions."""
        assert await self.call("PUT", f"{PATH}/partitions", COUNT) == (204, None)
        taken = set()
        for index in range(COUNT):
            name = PARENT.partition(index)
            bundle = await self.members[0].bundle_of(str(name))
            member = self.members[len(taken) % 2]
            if bundle not in taken:
                taken.add(bundle)
                await member.ownership.look_up(name, authoritative=True, listener="")
        assert len(taken) > 1

    @property
    def loaded(self) -> list[int]:
        return [len(member.service.topics.loaded) for member in self.members]


@pytest.fixture
async def world(cluster: Cluster) -> AsyncIterator[World]:
    runners = []
    for _ in range(2):
        member = await cluster.add("127.0.0.1", web_port=free_port())
        application = web.Application()
        add_routes(application, member.service)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", member.service.config.web_port).start()
        runners.append(runner)
    async with aiohttp.ClientSession() as session:
        yield World(cluster.members, session)
    for runner in runners:
        await runner.cleanup()


async def test_partitions_are_made_without_being_opened(world: World) -> None:
    await world.spread()
    assert world.loaded == [0, 0]
    status, names = await world.call("GET", "/admin/v2/persistent/public/default")
    assert (status, len(names)) == (200, COUNT)


async def test_all_of_its_life(world: World) -> None:
    await world.spread()
    status, stats = await world.call("GET", f"{PATH}/partitioned-stats")
    assert (status, len(stats["partitions"])) == (200, COUNT)
    assert await world.call("PUT", f"{PATH}/subscription/s%2F1", "earliest") == (204, None)
    assert all(world.loaded)
    assert sum(world.loaded) == COUNT
    assert (await world.call("PUT", f"{PATH}/subscription/s%2F1", "latest"))[0] == 409
    assert await world.call("GET", f"{PATH}/subscriptions") == (200, ["s/1"])
    assert (await world.call("PUT", f"{PATH}/unload"))[0] == 204
    assert world.loaded == [0, 0]
    assert (await world.call("DELETE", f"{PATH}/truncate"))[0] == 204
    status, ends = await world.call("POST", f"{PATH}/terminate/partitions")
    assert (status, len(ends)) == (200, COUNT)
    assert (await world.call("DELETE", f"{PATH}/partitions"))[0] == 204
    assert await world.call("GET", "/admin/v2/persistent/public/default") == (200, [])


async def test_a_namespace_of_which_each_has_a_part(world: World) -> None:
    await world.spread()
    await world.call("PUT", f"{PATH}/subscription/s", "earliest")
    assert all(world.loaded)
    assert (await world.call("PUT", "/admin/v2/namespaces/public/default/unload"))[0] == 204
    assert world.loaded == [0, 0]
    assert not any(member.ownership.owned.bundles for member in world.members)


async def test_a_partition_in_use_keeps_all_of_them(world: World) -> None:
    await world.spread()
    name = next(
        each
        for each in map(PARENT.partition, range(COUNT))
        if world.members[1].ownership.serves(each)
    )
    client = await world.members[1].client()
    await client.produce(str(name), 1)
    assert (await world.call("DELETE", f"{PATH}/partitions"))[0] == 412
    _, names = await world.call("GET", "/admin/v2/persistent/public/default")
    assert len(names) == COUNT
    assert (await world.call("DELETE", f"{PATH}/partitions?force=true"))[0] == 204


async def test_more_partitions_have_the_subscriptions_of_the_first(world: World) -> None:
    await world.spread()
    await world.call("PUT", f"{PATH}/subscription/s", "latest")
    assert await world.call("POST", f"{PATH}/partitions", COUNT + 2) == (204, None)
    for member in world.members:
        new = PARENT.partition(COUNT + 1)
        assert await member.registry.cursor_names(new.ledger_name) == ["s"]


async def test_a_subscription_that_is_not_there(world: World) -> None:
    await world.spread()
    assert (await world.call("DELETE", f"{PATH}/subscription/s"))[0] == 404
    assert (await world.call("POST", f"{PATH}/subscription/s/resetcursor/5"))[0] == 404
    calls = PartitionCalls(lambda: world.members[0].service.config.web_url)
    with pytest.raises(SubscriptionNotFoundError):
        await calls.delete_subscription(PARENT.partition(0), "s", force=False)


async def test_an_owner_that_does_not_answer() -> None:
    calls = PartitionCalls(lambda: f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ServiceNotReadyError, match="does not answer"):
        await calls.unload(PARENT)
