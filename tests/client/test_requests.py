"""Answers find their questions, whatever order they come in; none is left over."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from magnetar.errors import (
    ConnectError,
    ProducerBusy,
    PulsarException,
    Timeout,
    TopicNotFound,
)
from magnetar.requests import Requests
from magnetar_proto import pulsar_api_pb2 as api


class World:
    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.requests = Requests("broker", self.sent.append)

    def ask(self, command: Any, timeout_s: float = 5) -> "asyncio.Task[Any]":
        asking: Coroutine[Any, Any, Any] = self.requests.ask(command, "what", timeout_s)
        return asyncio.create_task(asking)


async def test_answers_in_any_order() -> None:
    world = World()
    one, other = [world.ask(api.CommandUnsubscribe(consumer_id=n)) for n in (1, 2)]
    await asyncio.sleep(0)
    assert len(world.requests) == len(world.sent) == 2
    world.requests.answer(api.CommandSuccess(request_id=2))
    world.requests.answer(api.CommandSuccess(request_id=1))
    world.requests.answer(api.CommandSuccess(request_id=1))  # nobody waits for a second one
    world.requests.answer(api.CommandSuccess(request_id=77))
    assert ((await one).request_id, (await other).request_id) == (1, 2)
    assert len(world.requests) == 0
    assert world.requests.next_id() == 3


async def test_a_refusal_and_one_of_nothing() -> None:
    world = World()
    asked = world.ask(api.CommandUnsubscribe(consumer_id=1))
    await asyncio.sleep(0)
    assert not world.requests.refuse(8, api.TopicNotFound, "no")
    assert world.requests.refuse(1, api.TopicNotFound, "no such thing")
    assert world.requests.refuse(1, api.ProducerBusy, "too late to say so")
    with pytest.raises(TopicNotFound, match="what: no such thing"):
        await asked


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (
            api.CommandLookupTopicResponse(
                request_id=1,
                response=api.CommandLookupTopicResponse.Failed,
                error=api.TopicNotFound,
                message="gone",
            ),
            TopicNotFound,
        ),
        (
            api.CommandPartitionedTopicMetadataResponse(
                request_id=1,
                response=api.CommandPartitionedTopicMetadataResponse.Failed,
                error=api.ProducerBusy,
                message="gone",
            ),
            ProducerBusy,
        ),
        (
            api.CommandGetSchemaResponse(
                request_id=1, error_code=api.TopicNotFound, error_message="gone"
            ),
            TopicNotFound,
        ),
    ],
)
async def test_answers_that_are_refusals(answer: Any, error: type[PulsarException]) -> None:
    world = World()
    asked = world.ask(api.CommandUnsubscribe(consumer_id=1))
    await asyncio.sleep(0)
    world.requests.answer_or_refuse(answer)
    with pytest.raises(error, match="what: gone"):
        await asked


@pytest.mark.parametrize(
    "answer",
    [
        api.CommandLookupTopicResponse(
            request_id=1, response=api.CommandLookupTopicResponse.Connect
        ),
        api.CommandPartitionedTopicMetadataResponse(
            request_id=1, response=api.CommandPartitionedTopicMetadataResponse.Success
        ),
        api.CommandGetSchemaResponse(request_id=1),
    ],
)
async def test_answers_that_are_none(answer: Any) -> None:
    world = World()
    asked = world.ask(api.CommandUnsubscribe(consumer_id=1))
    await asyncio.sleep(0)
    world.requests.answer_or_refuse(answer)
    assert await asked is answer


async def test_no_answer_in_time_unless_it_was_told_to_wait() -> None:
    world = World()
    short = world.ask(api.CommandUnsubscribe(consumer_id=1), 0.01)
    long = world.ask(api.CommandUnsubscribe(consumer_id=2), 0.01)
    await asyncio.sleep(0)
    world.requests.wait_on(2)
    world.requests.wait_on(99)
    with pytest.raises(Timeout, match=r"what: no answer from broker in 0\.01 s"):
        await short
    assert not long.done()
    assert len(world.requests) == 1
    world.requests.answer(api.CommandSuccess(request_id=2))
    await long


async def test_all_fail_when_none_is_answered_any_more() -> None:
    world = World()
    asked = [world.ask(api.CommandUnsubscribe(consumer_id=n)) for n in range(3)]
    await asyncio.sleep(0)
    asked[0].cancel()
    world.requests.fail_all(ConnectError("the end"))
    ends = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in ends] == [asyncio.CancelledError, ConnectError, ConnectError]
    assert len(world.requests) == 0
