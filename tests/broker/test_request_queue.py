"""A flood of requests on one connection: some in a turn, the rest in order behind them."""

import asyncio
import inspect
from unittest.mock import Mock

import pytest
from magnetar_broker import request_queue
from magnetar_broker.config import BrokerConfig
from magnetar_broker.request_queue import RequestQueue
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import encode_command
from magnetar_runtime.limits import Limits
from magnetar_runtime.scope import TaskScope

from tests.broker.client import send_frame, sends
from tests.broker.conftest import StartBroker

SOON_S = 0.1
"""Longer than some pauses between turns."""


def lookups(*request_ids: int) -> bytes:
    commands = [api.CommandLookupTopic(topic="x", request_id=each) for each in request_ids]
    return b"".join(map(encode_command, commands))


async def test_a_turn_begins_some_requests_and_reads_on_when_all_have_begun(
    start_broker: StartBroker,
) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(max_requests_per_turn=3)))
    client = await broker.client()
    client.feed(lookups(*range(8)))
    assert not client.transport.reading
    await asyncio.sleep(SOON_S)
    replies = await client.turn()
    assert sorted(reply.request_id for reply in replies) == list(range(8))
    assert client.transport.reading


async def test_what_stands_behind_requests_keeps_its_place(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(max_requests_per_turn=2)))
    client = await broker.client()
    await client.produce("x", 1)
    frames = [send_frame(send) for send in sends(1, 0, 1)]
    client.feed(lookups(1, 2, 3) + frames[0] + lookups(4, 5) + frames[1])
    assert broker.ledger("x").pending == 0
    await asyncio.sleep(SOON_S)
    await client.turn()
    assert broker.ledger("x").pending == 2
    broker.ledger("x").confirm()
    receipts = await client.turn()
    assert [reply.sequence_id for reply in receipts] == [0, 1]
    assert client.transport.reading


async def test_too_many_in_work_make_the_rest_wait(start_broker: StartBroker) -> None:
    limits = Limits(max_requests_per_turn=2, max_pending_requests_per_connection=4)
    broker = await start_broker(BrokerConfig(limits=limits))
    client = await broker.client()
    before = len(asyncio.all_tasks())
    client.feed(lookups(*range(40)))
    replies = client.received()
    while len(replies) < 40:
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) - before <= 4 + 1
        replies += client.received()
    assert len(replies) == 40
    assert client.transport.reading


async def test_between_turns_the_loop_sleeps(
    start_broker: StartBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_queue, "_PAUSE_S", 0.2)
    broker = await start_broker(BrokerConfig(limits=Limits(max_requests_per_turn=3)))
    client = await broker.client()
    client.feed(lookups(*range(8)))
    await asyncio.sleep(SOON_S)
    assert len(await client.turn()) == 3


async def test_a_closed_connection_begins_no_more(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(max_requests_per_turn=2)))
    client = await broker.client()
    client.feed(lookups(*range(10)))
    client.transport.close()
    await asyncio.sleep(SOON_S)
    await client.turn()
    assert client.connection.closed
    assert len(client.received()) <= 4


async def test_work_that_a_stop_cancels_before_its_first_step_is_ended_too() -> None:
    async def work() -> None:
        raise AssertionError("begun")

    scope = TaskScope()
    requests = RequestQueue(Mock(), Limits(), scope, asyncio.get_running_loop())
    coroutine = work()
    requests.begin(coroutine, Mock(), "lookup")
    await scope.close()
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
