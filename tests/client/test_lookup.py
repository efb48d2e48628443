import asyncio
import random
from typing import Any

import pytest
from magnetar.connection_pool import Route
from magnetar.errors import ConnectError, TopicNotFound
from magnetar.lookup import Lookup, retried
from magnetar.service_url import BrokerAddress


class Answers:
    """A directory that answers from a list."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    async def _next(self, *question: Any) -> Any:
        self.asked.append(question)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def partitions(self, topic: str) -> int:
        return int(await self._next(topic))

    async def route(self, topic: str) -> Route:
        route: Route = await self._next(topic)
        return route

    async def topics(self, namespace: str, mode: int) -> list[str]:
        return list(await self._next(namespace, mode))


class Pool:
    async def get(self, route: Route) -> Any:
        return f"connection to {route.through}"


def lookup(*directories: Answers) -> Lookup:
    pool: Any = Pool()
    return Lookup(pool, directories, 5, random.Random(1))


async def test_brokers_take_turns_and_are_asked_again() -> None:
    down, up = Answers(ConnectError("x"), ConnectError("x")), Answers(3, ["x"])
    asks = lookup(down, up)
    assert await asks.partitions("t") == 3
    assert await asks.topics("a/b", 1) == ["x"]
    assert down.asked == up.asked == [("t",), ("a/b", 1)]
    other = Answers(TopicNotFound("x"))
    asks.use([other])
    with pytest.raises(TopicNotFound):
        await asks.partitions("u")
    assert other.asked == [("u",)]


async def test_a_connection_is_one_attempt() -> None:
    asks = lookup(Answers(ConnectError("x"), Route.direct(BrokerAddress("b", 2))))
    with pytest.raises(ConnectError):
        await asks.connection_of("t")
    assert str(await asks.connection_of("t")) == "connection to pulsar://b:2"


async def test_no_longer_than_it_may() -> None:
    tries = 0

    async def fails() -> None:
        nonlocal tries
        tries += 1
        raise ConnectError("x")

    began_s = asyncio.get_running_loop().time()
    with pytest.raises(ConnectError):
        await retried(fails, 0.2, random.Random(1))
    assert tries >= 2
    assert asyncio.get_running_loop().time() - began_s < 5
