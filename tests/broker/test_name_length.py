"""The longest names, of all that clients name."""

import pytest
from magnetar_broker.errors import ErrorCode, InvalidTopicNameError
from magnetar_broker.name_length import check_name_length
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_runtime.limits import MAX_NAME_CHARACTERS

from tests.broker.conftest import Broker

TOO_LONG = "n" * (MAX_NAME_CHARACTERS + 1)


def test_longest() -> None:
    check_name_length("topic", TOO_LONG[1:], InvalidTopicNameError)
    with pytest.raises(InvalidTopicNameError, match="a topic has 4097 characters"):
        check_name_length("topic", TOO_LONG, InvalidTopicNameError)


async def test_names_of_producers_and_consumers(broker: Broker) -> None:
    client = await broker.client()
    reply = await client.produce("x", producer_name=TOO_LONG)
    assert reply.error == ErrorCode.PRODUCER_BUSY
    fields = {"topic": "x", "subType": api.CommandSubscribe.Shared, "request_id": 1}
    for number, names in enumerate(
        ({"subscription": TOO_LONG}, {"subscription": "s", "consumer_name": TOO_LONG})
    ):
        request = api.CommandSubscribe(consumer_id=number, **fields, **names)
        reply = await client.ask(request)
        assert reply.error in (ErrorCode.PRODUCER_BUSY, ErrorCode.NOT_ALLOWED)
    assert not broker.service.topics.loaded
