"""Commands of what is not built: clients get an answer and go on."""

from typing import Any

import pytest
from magnetar_broker.errors import ErrorCode
from magnetar_proto import pulsar_api_pb2 as api

from tests.broker.client import kind_of
from tests.broker.conftest import Broker


@pytest.mark.parametrize(
    "request_",
    [
        api.CommandTcClientConnectRequest(request_id=5, tc_id=0),
        api.CommandNewTxn(request_id=5),
        api.CommandAddPartitionToTxn(request_id=5),
        api.CommandAddSubscriptionToTxn(request_id=5),
        api.CommandEndTxn(request_id=5),
        api.CommandEndTxnOnPartition(request_id=5),
        api.CommandEndTxnOnSubscription(request_id=5),
    ],
    ids=kind_of,
)
async def test_refused(broker: Broker, request_: Any) -> None:
    client = await broker.client()
    reply = await client.ask(request_)
    assert (kind_of(reply), reply.request_id) == ("error", 5)
    assert reply.error == ErrorCode.NOT_ALLOWED
