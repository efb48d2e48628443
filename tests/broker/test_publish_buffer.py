"""The bound of bytes under way over all connections."""

from collections.abc import Hashable

from magnetar_broker.config import BrokerConfig
from magnetar_broker.publish_buffer import PublishBuffer
from magnetar_runtime.limits import Limits

from tests.broker.client import sends
from tests.broker.conftest import StartBroker


class Held:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.reasons: list[Hashable] = []

    def hold(self, reason: Hashable) -> None:
        assert reason not in self.reasons
        self.reasons.append(reason)

    def release(self, reason: Hashable) -> None:
        self.reasons.remove(reason)


def test_who_publishes_above_the_limit_is_held_until_half_of_it() -> None:
    buffer, first, second = PublishBuffer(100), Held(), Held()
    buffer.take(first, 100)
    assert not first.reasons
    buffer.take(second, 1)
    assert second.reasons
    buffer.take(second, 1)
    assert len(second.reasons) == 1
    buffer.give_back(51)
    assert second.reasons
    buffer.give_back(1)
    assert not second.reasons
    assert buffer.used_bytes == 50


async def test_a_connection_waits_for_what_others_have_under_way(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(max_publish_buffer_bytes=1000)))
    client, other = await broker.client(1), await broker.client(2)
    await client.produce("x", 1)
    await other.produce("y", 1)
    client.publish(*sends(1, 0), body=bytes(900))
    assert client.transport.reading
    other.publish(*sends(1, 0), body=bytes(200))
    assert not other.transport.reading
    broker.ledger("x").confirm()
    assert other.transport.reading
    broker.ledger("y").confirm()
    assert broker.service.publish_buffer.used_bytes == 0


async def test_what_a_lost_connection_had_under_way_is_given_back(
    start_broker: StartBroker,
) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(max_publish_buffer_bytes=1000)))
    client, other = await broker.client(1), await broker.client(2)
    await client.produce("x", 1)
    await other.produce("y", 1)
    client.publish(*sends(1, 0), body=bytes(2000))
    client.transport.close()
    await client.turn()
    other.publish(*sends(1, 0), body=bytes(200))
    assert not other.transport.reading
    broker.ledger("x").confirm()
    assert other.transport.reading
