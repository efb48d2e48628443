"""Producers and consumers attach again, on a simulated clock."""

import asyncio
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from magnetar_broker.errors import BrokerError, ServiceNotReadyError, TopicTerminatedError
from magnetar_broker.inner_client.attaching import Attached, attach_again
from magnetar_broker.topic_name import TopicName
from magnetar_runtime.scope import TaskScope
from magnetar_runtime.sim import CALM, SimLoop


class Refuses:
    """Attaches after `refusals` were raised."""

    def __init__(self, *refusals: BrokerError) -> None:
        self.refusals = list(refusals)
        self.tried_s: list[float] = []
        self.attached = False

    async def attach(self) -> None:
        self.tried_s.append(asyncio.get_running_loop().time())
        if self.refusals:
            raise self.refusals.pop(0)
        self.attached = True

    def wanted(self) -> bool:
        return not self.attached


def play(some: Refuses) -> BrokerError | None:
    loop = SimLoop(shape=CALM)
    try:
        return loop.run_until_complete(attach_again(some.attach, some.wanted, "some"))
    finally:
        loop.close()


def test_waits_longer_each_time() -> None:
    some = Refuses(*(ServiceNotReadyError("later") for _ in range(8)))
    assert play(some) is None
    assert some.attached
    waits = [later - sooner for sooner, later in pairwise(some.tried_s)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0], abs=0.01)


def test_ends_with_what_no_further_try_changes() -> None:
    last = TopicTerminatedError("the end")
    some = Refuses(ServiceNotReadyError("later"), last, ServiceNotReadyError("never asked"))
    assert play(some) is last
    assert len(some.tried_s) == 2


def test_ends_when_it_is_not_wanted() -> None:
    some = Refuses()
    some.attached = True
    assert play(some) is None
    assert some.tried_s == []


class Connection:
    """Answers what its test says."""

    def __init__(self, *answers: Any) -> None:
        self.closed = False
        self.links: dict[int, Any] = {}
        self.answers = list(answers)
        self.asked: list[Any] = []
        self.told_closed: list[int] = []

    def next_id(self) -> int:
        return 40 + len(self.asked)

    async def request(self, command: Any, _timeout_s: float) -> Any:
        self.asked.append(command)
        answer = self.answers.pop(0)
        if callable(answer):
            answer()
        if isinstance(answer, Exception):
            raise answer
        return answer


class Some(Attached):
    """Something attached, and what happened to it."""

    def __init__(self, *connections: Connection) -> None:
        self.connections = list(connections)
        self.scope = TaskScope()
        self.happened: list[Any] = []
        client: Any = SimpleNamespace(closed=False, connection_for=self._connection_for)
        super().__init__(client, TopicName.parse("x"), self.scope, "some")

    async def _connection_for(self, _topic: TopicName) -> Connection:
        return self.connections.pop(0)

    def _links(self, connection: Any) -> dict[int, Any]:
        return connection.links

    def _command(self) -> object:
        return f"attach {self._id}"

    def _tell_closed(self, connection: Any) -> None:
        connection.told_closed.append(self._id)

    def _on_attached(self, answer: Any) -> None:
        self.happened.append(answer)

    def _on_detached(self) -> None:
        self.happened.append("detached")

    def _on_refused(self, refusal: BrokerError) -> None:
        self.happened.append(refusal)


async def test_attached_lost_and_attached_elsewhere() -> None:
    first, second = Connection("one"), Connection("two")
    some = Some(first, second)
    await some.open()
    assert (first.asked, first.links) == (["attach 40"], {40: some})
    some.detached()
    some.detached()  # one attempt is enough
    async with asyncio.timeout(5):
        while second.links != {40: some}:
            await asyncio.sleep(0)
    assert some.happened == ["one", "detached", "two"]
    some.close()
    some.close()
    assert (second.links, second.told_closed) == ({}, [40])
    some.detached()
    assert some.happened == ["one", "detached", "two"]
    await some.scope.close()


async def test_what_is_not_answered_in_time_is_taken_back() -> None:
    """Scenario: the topic recovers for longer than that, and the broker makes the producer then:
    nobody uses it, and its name is taken until the broker ends."""
    connection = Connection(ServiceNotReadyError("not answered in 30 s"))
    some = Some(connection)
    with pytest.raises(ServiceNotReadyError):
        await some.open()
    assert (connection.links, connection.told_closed) == ({}, [40])


async def test_refused_at_first_it_is_not_known_to_the_connection() -> None:
    connection = Connection(TopicTerminatedError("no"))
    some = Some(connection)
    with pytest.raises(TopicTerminatedError):
        await some.open()
    assert (connection.links, connection.told_closed) == ({}, [40])
    some.detached()  # it was never open: nobody attaches it again
    assert some.happened == []


async def test_refused_for_good_later() -> None:
    refusal = TopicTerminatedError("no more")
    some = Some(Connection("one"), Connection(refusal))
    await some.open()
    some.detached()
    async with asyncio.timeout(5):
        while refusal not in some.happened:
            await asyncio.sleep(0)
    assert some.happened == ["one", "detached", refusal]
    await some.scope.close()


async def test_who_asks_for_the_attachment_waits_for_it() -> None:
    first, second = Connection("one"), Connection("two")
    some = Some(first, second)
    await some.open()
    assert await some.attachment() is first  # type: ignore[comparison-overlap]
    some.detached()
    async with asyncio.timeout(5):
        assert await some.attachment() is second  # type: ignore[comparison-overlap]
    some.close()
    with pytest.raises(ServiceNotReadyError):
        await some.attachment()
    await some.scope.close()


async def test_who_waits_for_an_attachment_hears_of_the_refusal_and_of_the_end() -> None:
    refusal = TopicTerminatedError("no more")
    some = Some(Connection("one"), Connection(refusal))
    await some.open()
    some.detached()
    async with asyncio.timeout(5):
        with pytest.raises(TopicTerminatedError):
            await some.attachment()
    await some.scope.close()
    never = Some()
    waiting = asyncio.create_task(never.attachment())
    await asyncio.sleep(0)
    never.close()
    with pytest.raises(ServiceNotReadyError):
        await asyncio.wait_for(waiting, 5)


def closes_at_once() -> Connection:
    """Its broker closes what it took in the same chunk in which it says so."""
    connection = Connection(lambda: connection.links.pop(40).detached())
    return connection


async def test_closed_by_the_broker_as_soon_as_it_is_attached_it_attaches_again() -> None:
    """Scenario: a topic moves twice. The producer took itself for attached and waited for ever."""
    closing = closes_at_once()
    some = Some(Connection("one"), closing, Connection("two"))
    await some.open()
    some.detached()
    async with asyncio.timeout(5):
        while "two" not in some.happened:
            await asyncio.sleep(0.01)
    assert some.happened == ["one", "detached", "two"]
    assert closing.told_closed == []
    await some.scope.close()


async def test_closed_by_the_broker_as_soon_as_it_is_opened_it_says_so() -> None:
    some = Some(closes_at_once())
    with pytest.raises(ServiceNotReadyError):
        await some.open()
    assert some.happened == []


async def test_closed_while_it_attaches_it_is_told_to_the_broker() -> None:
    some = Some()
    connection = Connection(some.close)
    some.connections.append(connection)
    with pytest.raises(ServiceNotReadyError):
        await some.open()
    assert (connection.links, connection.told_closed) == ({}, [40])
