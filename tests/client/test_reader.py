"""Readers on real brokers."""

import asyncio
import time

import pytest
from magnetar import Client, MessageId, Reader
from magnetar.errors import ConnectError
from magnetar.outgoing import PayloadEncoder, with_checksum
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import encode_payload_command

from bench.servers import Server
from tests.client.test_consumer import both_ways, sent


async def all_of(reader: Reader) -> list[int]:
    found = []
    while await reader.has_message_available():
        found.append(int((await reader.read_next(timeout=10)).data()))
    return found


@both_ways
async def test_from_any_place(client: Client, topic: str, batched: bool) -> None:
    ids = await sent(client, topic, 10, batched)
    assert await all_of(await client.create_reader(topic, MessageId.earliest)) == list(range(10))
    assert await all_of(await client.create_reader(topic, ids[4])) == [5, 6, 7, 8, 9]
    inclusive = await client.create_reader(topic, ids[4], start_message_id_inclusive=True)
    assert await all_of(inclusive) == [4, 5, 6, 7, 8, 9]
    assert await all_of(await client.create_reader(topic, ids[9])) == []


async def test_from_the_end(client: Client, topic: str) -> None:
    await sent(client, topic, 3)
    reader = await client.create_reader(topic, MessageId.latest)
    assert not await reader.has_message_available()
    await sent(client, topic, 2)
    assert await reader.has_message_available()
    assert await all_of(reader) == [0, 1]
    await reader.seek(MessageId.earliest)
    assert await all_of(reader) == [0, 1, 2, 0, 1]


async def test_an_empty_topic(client: Client, topic: str) -> None:
    reader = await client.create_reader(topic, MessageId.earliest)
    assert not await reader.has_message_available()
    assert reader.is_connected()
    assert reader.topic() == topic
    await reader.close()


@pytest.mark.parametrize("size", [0, 5])
async def test_small_queues(client: Client, topic: str, size: int) -> None:
    await sent(client, topic, 30, batched=False)
    reader = await client.create_reader(topic, MessageId.earliest, receiver_queue_size=size)
    assert await all_of(reader) == list(range(30))


@pytest.mark.parametrize("before", [0, 3])
async def test_a_cut_before_the_first_message_loses_none(
    client: Client, topic: str, before: int
) -> None:
    await sent(client, topic, before)
    reader = await client.create_reader(topic, MessageId.latest)
    [source] = reader._consumer.sources.values()
    assert source.connection is not None
    source.connection.abort(ConnectError("cut by the test"))
    await sent(client, topic, 2)  # while the reader may be away
    assert [int((await reader.read_next(timeout=10)).data()) for _ in range(2)] == [0, 1]


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("cut", [False, True])
async def test_from_a_time(client: Client, topic: str, inclusive: bool, cut: bool) -> None:
    times_ms = []
    for number in range(3):
        times_ms.append(time.time_ns() // 1_000_000)
        await sent(client, topic, number + 1)
        await asyncio.sleep(0.01)
    earliest = MessageId.earliest
    options = {"start_message_id_inclusive": inclusive}
    reader = await client.create_reader(topic, earliest, **options)
    assert (await reader.read_next(timeout=10)).data() == b"0"
    [source] = reader._consumer.sources.values()
    for time_ms, left in ((times_ms[2], [0, 1, 2]), (times_ms[2] + 60_000, [])):
        await reader.seek(time_ms)
        if cut:
            assert source.connection is not None
            source.connection.abort(ConnectError("cut by the test"))
        assert await all_of(reader) == left
        await reader.seek(time_ms)
        assert await reader.has_message_available() == bool(left)
    await sent(client, topic, 2)
    assert await all_of(reader) == [0, 1]


def chunk_of(uuid: str, number: int) -> bytes:
    """The payload of one of two chunks."""
    metadata = PayloadEncoder("by hand", 0, bytes, b"").metadata(number, 1, 0)
    metadata.uuid, metadata.chunk_id, metadata.num_chunks_from_msg = uuid, number, 2
    metadata.total_chunk_msg_size = 4
    return with_checksum(metadata.SerializeToString(), f"{uuid}{number}".encode())


async def test_cut_between_chunks_it_gets_the_message_whole(server: Server, topic: str) -> None:
    async with Client(server.service_url) as writing, Client(server.service_url) as reading:
        producer = await writing.create_producer(topic)
        [to] = producer._partitions

        def send_by_hand(uuid: str, number: int) -> None:
            command = api.CommandSend(producer_id=to.core.producer_id, sequence_id=number)
            assert to.connection is not None
            payload = chunk_of(uuid, number)
            to.connection.send(encode_payload_command(command, payload) + payload)

        for uuid, number in (("b", 0), ("a", 0), ("a", 1)):
            send_by_hand(uuid, number)
        reader = await reading.create_reader(topic, MessageId.earliest)
        assert (await reader.read_next(timeout=10)).data() == b"a0a1"
        [source] = reader._consumer.sources.values()
        assert source.connection is not None
        source.connection.abort(ConnectError("cut by the test"))
        send_by_hand("b", 1)
        assert (await reader.read_next(timeout=10)).data() == b"b0b1"
