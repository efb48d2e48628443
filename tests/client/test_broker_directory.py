"""What a broker is asked, and where its answers lead."""

import asyncio
from typing import Any

import pytest
from magnetar.broker_directory import MAX_REDIRECTS, BrokerDirectory
from magnetar.connection_pool import Route
from magnetar.errors import LookupError
from magnetar.service_url import BrokerAddress
from magnetar_proto import pulsar_api_pb2 as api

A, B = BrokerAddress("a", 1), BrokerAddress("b", 2)


class Brokers:
    """A pool whose connections answer from a list."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, bool]] = []

    async def get(self, route: Route) -> Any:
        return _Broker(self, route)


class _Broker:
    def __init__(self, brokers: Brokers, route: Route) -> None:
        self.brokers = brokers
        self.route = route

    async def request(self, command: Any, what: str, timeout_s: float) -> Any:
        authoritative = getattr(command, "authoritative", False)
        self.brokers.asked.append((str(self.route.through), authoritative))
        answer = self.brokers.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def directory(brokers: Any) -> BrokerDirectory:
    return BrokerDirectory(A, brokers, None, 5, asyncio.Semaphore(10))


def says(response: str, url: str = "pulsar://b:2", **more: bool) -> api.CommandLookupTopicResponse:
    return api.CommandLookupTopicResponse(
        request_id=1,
        response=response,
        brokerServiceUrl=url,
        **more,  # type: ignore[arg-type]
    )


async def test_it_goes_where_it_is_sent() -> None:
    brokers = Brokers(says("Redirect", authoritative=True), says("Connect", "pulsar://c:3"))
    route = await directory(brokers).route("t")
    assert str(route.broker) == str(route.through) == "pulsar://c:3"
    assert brokers.asked == [("pulsar://a:1", False), ("pulsar://b:2", True)]


async def test_through_the_service_url() -> None:
    route = await directory(Brokers(says("Connect", proxy_through_service_url=True))).route("t")
    assert route == Route(B, A)


async def test_not_for_ever() -> None:
    brokers = Brokers(*[says("Redirect")] * (MAX_REDIRECTS + 5))
    with pytest.raises(LookupError, match="more than"):
        await directory(brokers).route("t")


async def test_a_broker_without_an_address_of_the_kind() -> None:
    with pytest.raises(LookupError, match="no address"):
        await directory(Brokers(says("Connect", ""))).route("t")


async def test_partitions_and_topics() -> None:
    brokers = Brokers(
        api.CommandPartitionedTopicMetadataResponse(request_id=1, partitions=3),
        api.CommandGetTopicsOfNamespaceResponse(request_id=1, topics=["x"]),
    )
    asks = directory(brokers)
    assert await asks.partitions("t") == 3
    assert await asks.topics("a/b", 0) == ["x"]
