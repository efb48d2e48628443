import asyncio
import random
from typing import Any

import pytest
from magnetar.attachment import Attachment
from magnetar.errors import AlreadyClosed, ConnectError, PulsarException, TopicTerminated
from magnetar_runtime.scope import TaskScope


class Lookup:
    """Gives a connection, or what stands next in `errors`."""

    def __init__(self) -> None:
        self.errors: list[PulsarException] = []
        self.rng = random.Random(1)
        self.asked = 0

    async def connection_of(self, topic: str) -> Any:
        self.asked += 1
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        return object()


class Attached(Attachment):
    """Notes what happens to it."""

    def __init__(self, lookup: Any, scope: TaskScope) -> None:
        super().__init__("t", "it", lookup, scope)
        self.detached = 0
        self.ended: list[PulsarException] = []

    async def _attach(self, connection: Any) -> None:
        self._set_attached(connection)

    def _on_detached(self) -> None:
        self.detached += 1

    def _on_ended(self, error: PulsarException) -> None:
        self.ended.append(error)


async def opened(lookup: Lookup) -> Attached:
    made = Attached(lookup, TaskScope())
    await made.open(5)
    return made


async def test_opening_is_tried_again_until_an_error_is_final() -> None:
    lookup = Lookup()
    lookup.errors = [ConnectError("x")]
    assert (await opened(lookup)).connection is not None
    assert lookup.asked == 2
    lookup.errors = [TopicTerminated("x")]
    with pytest.raises(TopicTerminated):
        await opened(lookup)
    lookup.errors = [ConnectError("first")] * 9
    late = Attached(lookup, TaskScope())
    with pytest.raises(ConnectError):
        await late.open(0.05)


async def test_a_lost_one_is_attached_again() -> None:
    lookup = Lookup()
    made = await opened(lookup)
    first: Any = made.connection
    lookup.errors = [ConnectError("not yet")]
    made.link_lost(first)
    made.link_lost(first)
    assert (made.connection, made.detached) == (None, 1)
    async with asyncio.timeout(5):
        await made.attached()
    assert made.connection is not first
    assert lookup.asked == 3


async def test_a_final_error_ends_it_for_all_who_wait() -> None:
    lookup = Lookup()
    made = await opened(lookup)
    lookup.errors = [TopicTerminated("over")]
    made.link_lost(made.connection)  # type: ignore[arg-type]
    with pytest.raises(TopicTerminated, match="over"):
        async with asyncio.timeout(5):
            await made.attached()
    assert [type(each) for each in made.ended] == [TopicTerminated]
    with pytest.raises(TopicTerminated):
        made.check_open()


async def test_what_was_closed_is_not_attached_again() -> None:
    lookup = Lookup()
    made = await opened(lookup)
    made.link_lost(made.connection)  # type: ignore[arg-type]
    made.end()
    await asyncio.sleep(0.15)
    assert lookup.asked == 1
    with pytest.raises(AlreadyClosed):
        made.check_open()
