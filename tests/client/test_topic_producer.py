"""Producers whose broker goes away and comes back."""

import asyncio

import pytest
from magnetar import Client, InitialPosition
from magnetar.errors import AlreadyClosed, ConnectError, PulsarException, Timeout

from bench.servers import Magnetar
from tests.client.test_consumer import numbers, rest


async def test_a_kill_loses_nothing_and_keeps_the_order(own_server: Magnetar) -> None:
    await asyncio.to_thread(own_server.start)
    async with Client(own_server.service_url) as client:
        earliest = InitialPosition.Earliest
        await (await client.subscribe("t", "s", initial_position=earliest)).close()
        producer = await client.create_producer("t", max_pending_messages=10_000)
        futures = [producer.send_nowait(b"%d" % number) for number in range(500)]
        await futures[100]
        own_server.kill()
        futures += [producer.send_nowait(b"%d" % number) for number in range(500, 1000)]
        await asyncio.to_thread(own_server.start)
        async with asyncio.timeout(30):
            await asyncio.gather(*futures)
        consumer = await client.subscribe("t", "s")
        found = await rest(consumer)
    # What was stored without its receipt comes twice; the first of each are in order.
    assert list(dict.fromkeys(found)) == list(range(1000))


async def test_without_a_broker_a_send_ends_in_time(own_server: Magnetar) -> None:
    await asyncio.to_thread(own_server.start)
    async with Client(own_server.service_url) as client:
        producer = await client.create_producer("t", send_timeout_millis=300)
        consumer = await client.subscribe("t", "s")
        await producer.send(b"0")
        assert await numbers(consumer, 1) == [0]
        own_server.kill()
        with pytest.raises(Timeout, match="in 300 ms"):
            await producer.send(b"1")
        assert not producer.is_connected()
        await asyncio.to_thread(own_server.start)
        async with asyncio.timeout(30):
            while True:
                try:
                    await producer.send(b"2")
                    break
                except Timeout:
                    pass
        found = await rest(consumer)
        assert set(found) <= {0, 1, 2}
        assert found[-1] == 2


async def test_a_connection_that_breaks_is_replaced(client: Client, topic: str) -> None:
    producer = await client.create_producer(topic)
    consumer = await client.subscribe(topic, "s")
    for number in range(3):
        futures = [producer.send_nowait(b"%d" % (10 * number + each)) for each in range(10)]
        await futures[0]
        [connection] = {each.connection for each in producer.partitions}
        assert connection is not None
        connection.abort(ConnectError("cut by the test"))
        async with asyncio.timeout(15):
            await asyncio.gather(*futures)
    found = await rest(consumer)
    assert list(dict.fromkeys(found)) == list(range(30))


async def test_the_end_of_a_producer_is_told_to_all_who_wait(client: Client, topic: str) -> None:
    producer = await client.create_producer(topic, max_pending_messages=1, block_if_queue_full=True)
    waiting = [asyncio.create_task(producer.send(b"x")) for _ in range(5)]
    await asyncio.sleep(0)
    [partition] = producer.partitions
    partition.fail(PulsarException("over"))
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {str(each) for each in results} == {"over"}
    with pytest.raises(PulsarException, match="over"):
        producer.send_nowait(b"x")
    await producer.close()
    other = await client.create_producer(topic)
    await other.close()
    with pytest.raises(AlreadyClosed):
        await other.send(b"x")
