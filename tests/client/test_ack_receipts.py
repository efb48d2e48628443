import asyncio

import pytest
from magnetar.ack_receipts import AckReceipts
from magnetar.errors import NotAllowedError, NotConnected
from magnetar_proto import pulsar_api_pb2 as api


def response(request_id: int, **more: int) -> api.CommandAckResponse:
    return api.CommandAckResponse(consumer_id=1, request_id=request_id, **more)


async def test_all_commands_must_be_answered() -> None:
    receipts = AckReceipts()
    future = receipts.wait(asyncio.get_running_loop())
    assert receipts.wait(asyncio.get_running_loop()) is future
    receipts.sent([1, 2])
    receipts.response(response(1), "c")
    assert not future.done()
    receipts.response(response(2), "c")
    assert future.done()
    receipts.response(response(2), "c")


async def test_nothing_to_tell_is_done() -> None:
    receipts = AckReceipts()
    future = receipts.wait(asyncio.get_running_loop())
    receipts.sent([])
    assert future.done()


async def test_refused_or_lost() -> None:
    receipts = AckReceipts()
    refused = receipts.wait(asyncio.get_running_loop())
    receipts.sent([1])
    lost = receipts.wait(asyncio.get_running_loop())
    receipts.response(response(1, error=api.NotAllowedError), "c")
    with pytest.raises(NotAllowedError):
        await refused
    receipts.fail(NotConnected("x"))
    with pytest.raises(NotConnected):
        await lost
