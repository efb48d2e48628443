"""A producer: who replaces whom, and how it is told of its end."""

from typing import Any

import pytest
from magnetar_broker.errors import ChecksumFailedError, ErrorCode
from magnetar_broker.producer import Producer

from tests.broker.client import kind_of
from tests.broker.conftest import Broker


def producer_like(other: Producer, **changes: Any) -> Producer:
    fields: dict[str, Any] = {
        "connection": other.connection,
        "producer_id": other.producer_id,
        "epoch": other.epoch,
        **changes,
    }
    return Producer(
        other.topic,
        fields["connection"],
        fields["producer_id"],
        other.name,
        epoch=fields["epoch"],
        user_provided_name=True,
        access_mode=0,
    )


@pytest.mark.parametrize(
    ("changes", "replaced"),
    [
        ({"epoch": 1}, True),
        ({"epoch": 0}, False),
        ({"epoch": 1, "producer_id": 2}, False),
        ({"epoch": 1, "connection": object()}, False),
    ],
)
async def test_replaced_by(broker: Broker, changes: dict[str, Any], replaced: bool) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    producer = client.connection.producers[1]
    assert producer.replaced_by(producer_like(producer, **changes)) is replaced


async def test_send_error(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    client.connection.producers[1].send_error(7, ChecksumFailedError("why"))
    [error] = await client.turn()
    assert (error.producer_id, error.sequence_id, error.error) == (1, 7, ErrorCode.CHECKSUM)


async def test_close_by_broker(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    producer = client.connection.producers[1]
    producer.close_by_broker()
    assert producer.closed
    assert client.connection.producers == {}
    assert producer.topic.producers == {}
    assert client.connection.was_dropped(1)
    assert [kind_of(reply) for reply in await client.turn()] == ["close_producer"]
