"""A connection: its states, its limits, its life, and what bad input costs."""

import asyncio
import gc
import weakref
from typing import Any

import pytest
from magnetar_broker.config import BrokerConfig
from magnetar_broker.connection import LARGE_PART_BYTES
from magnetar_broker.errors import ErrorCode
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import encode_command
from magnetar_runtime.limits import Limits

from tests.broker.client import Client, kind_of, send_frame, sends
from tests.broker.conftest import Broker, StartBroker


async def test_trap_5_connected_has_version_and_size(broker: Broker) -> None:
    client = broker.new_client()
    reply = await client.connect()
    assert reply.server_version
    assert reply.protocol_version == 21
    assert reply.max_message_size == 5 * 1024 * 1024


@pytest.mark.parametrize(("asked", "told"), [(0, 0), (15, 15), (21, 21), (22, 21)])
async def test_protocol_version(broker: Broker, asked: int, told: int) -> None:
    client = broker.new_client()
    assert (await client.connect(asked)).protocol_version == told


async def test_trap_2_no_command_is_offered_that_is_not_built(broker: Broker) -> None:
    client = broker.new_client()
    flags = (await client.connect()).feature_flags
    assert flags.supports_topic_watchers
    assert not flags.supports_auth_refresh
    assert flags.supports_get_partitioned_metadata_without_auto_creation


@pytest.mark.parametrize(
    "command",
    [
        api.CommandLookupTopic(topic="x", request_id=1),
        api.CommandFlow(consumer_id=1, messagePermits=1),
        api.CommandConnected(server_version="x"),
    ],
    ids=kind_of,
)
async def test_anything_before_connect_costs_the_connection(broker: Broker, command: Any) -> None:
    client = broker.new_client()
    client.send(command)
    assert client.transport.closing
    assert await client.turn() == []


async def test_ping_before_connect_is_answered(broker: Broker) -> None:
    client = broker.new_client()
    assert kind_of(await client.ask(api.CommandPing())) == "pong"


@pytest.mark.parametrize(
    "data",
    [
        encode_command(api.CommandConnect(client_version="x")),
        encode_command(api.CommandSuccess(request_id=1)),
        encode_command(api.CommandAuthResponse()),
        b"\x7f\xff\xff\xff\0\0\0\4abcd",
        b"\0\0\0\3\0\0\0\4abcd",
        b"\0\0\0\x06\0\0\0\2\x08\x63abcd",
        b"\0\0\0\x08\0\0\0\4\x08\x05\x2a\0",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["connect", "success", "auth", "large", "small", "unknown", "incomplete", "http"],
)
async def test_bad_input_costs_its_connection_only(broker: Broker, data: bytes) -> None:
    client, other = await broker.client(1), await broker.client(2)
    client.feed(data)
    assert client.transport.closing
    assert kind_of(await other.ask(api.CommandPing())) == "pong"
    await client.turn()
    assert list(broker.service.connections) == [other.connection]


async def test_what_comes_before_a_break_counts(broker: Broker) -> None:
    client = await broker.client()
    client.feed(encode_command(api.CommandPing()) + b"\xff" * 16)
    assert client.transport.closing
    assert [kind_of(reply) for reply in client.received()] == ["pong"]


async def test_payload_with_another_command_is_ignored(broker: Broker) -> None:
    client = await broker.client()
    ping = bytes.fromhex("0000000d000000050812920100") + b"rest"
    client.feed(ping)
    assert [kind_of(reply) for reply in await client.turn()] == ["pong"]


async def test_frame_cut_at_every_byte(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    client.feed(send_frame(sends(1, 0)[0]) + send_frame(sends(1, 1)[0]), chunk_bytes=1)
    broker.ledger("x").confirm()
    assert [receipt.sequence_id for receipt in await client.turn()] == [0, 1]


async def test_one_write_per_turn(broker: Broker) -> None:
    client = await broker.client()
    writes = client.transport.writes
    client.send(*[api.CommandPing()] * 10)
    assert len(await client.turn()) == 10
    assert client.transport.writes == writes + 1


async def test_large_parts_are_not_joined(broker: Broker) -> None:
    client = await broker.client()
    written: list[list[bytes]] = []
    client.transport.writelines = written.append  # type: ignore[method-assign]
    payload = bytes(LARGE_PART_BYTES)
    client.connection.send_parts([b"head", payload], len(payload))
    await client.turn()
    [[head, body]] = written
    assert head == b"head"
    assert body is payload


async def test_connections_above_the_limit(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(max_connections=1)))
    first = await broker.client(1)
    second = broker.new_client(2)
    [refusal] = second.received()
    assert (refusal.request_id, refusal.error) == (2**64 - 1, ErrorCode.NOT_ALLOWED)
    assert second.transport.closing
    await second.turn()
    first.transport.close()
    await first.turn()
    await broker.client(3)


async def test_connections_of_one_address_above_the_limit(start_broker: StartBroker) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(max_connections_per_address=1)))
    await broker.client(1)
    assert broker.new_client(2).transport.closing
    assert not broker.new_client(3, host="127.0.0.2").transport.closing


# Life.


async def test_ping_at_each_tick_and_close_when_silent(broker: Broker) -> None:
    client = await broker.client()
    client.connection.keep_alive_tick(connected=True)
    assert [kind_of(reply) for reply in await client.turn()] == ["ping"]
    client.send(api.CommandPong())
    client.connection.keep_alive_tick(connected=True)
    assert [kind_of(reply) for reply in await client.turn()] == ["ping"]
    client.connection.keep_alive_tick(connected=True)
    assert client.transport.aborted


async def test_connection_that_is_not_read_is_not_judged(broker: Broker) -> None:
    client = await broker.client()
    client.connection.keep_alive_tick(connected=True)
    client.connection.hold("test")
    client.connection.keep_alive_tick(connected=True)
    client.connection.release("test")
    client.connection.keep_alive_tick(connected=True)
    assert not client.transport.closing
    client.connection.keep_alive_tick(connected=True)
    assert client.transport.aborted


async def test_handshake_that_never_ends(broker: Broker) -> None:
    client = broker.new_client()
    client.send(api.CommandPing())
    client.connection.keep_alive_tick(connected=False)
    assert client.transport.closing


async def test_close_that_does_not_end_is_cut_short(broker: Broker) -> None:
    client = await broker.client()
    client.connection.close()
    client.connection.keep_alive_tick(connected=True)
    assert client.transport.aborted


async def test_service_ticks_all_connections_once_per_interval(broker: Broker) -> None:
    connected, silent = await broker.client(1), broker.new_client(2)
    for _ in range(30):
        broker.service._keep_alive_step()
    assert [kind_of(reply) for reply in await connected.turn()] == ["ping"]
    assert silent.transport.closing


async def test_liveness_probe(broker: Broker) -> None:
    client = await broker.client()
    probes = [asyncio.ensure_future(client.connection.check_alive()) for _ in range(2)]
    assert [kind_of(reply) for reply in await client.turn()] == ["ping", "ping"]
    client.send(api.CommandPong())
    assert await asyncio.gather(*probes) == [True, True]


async def test_liveness_probe_of_a_peer_that_goes(broker: Broker) -> None:
    client = await broker.client()
    probe = asyncio.ensure_future(client.connection.check_alive())
    await client.turn()
    client.transport.close()
    assert await probe is False


# Holding back.


async def test_reading_goes_on_when_all_reasons_are_gone(broker: Broker) -> None:
    client = await broker.client()
    client.connection.hold("a")
    client.connection.hold("b")
    client.connection.hold("a")
    client.connection.release("a")
    client.connection.release("a")
    assert not client.transport.reading
    client.connection.release("b")
    assert client.transport.reading


async def test_peer_that_does_not_read_is_not_read(broker: Broker) -> None:
    client = await broker.client()
    client.connection.pause_writing()
    assert not client.connection.writable
    assert not client.transport.reading
    client.connection.resume_writing()
    assert client.connection.writable
    assert client.transport.reading


async def test_peer_that_reads_nothing_any_more_is_cut_off(broker: Broker) -> None:
    dead, slow = await broker.client(1), await broker.client(2)
    for client in (dead, slow):
        client.connection.send(b"x" * 1_000)
        client.connection.flush()
        client.connection.pause_writing()
    for _ in range(4):
        for client in (dead, slow):
            client.connection.keep_alive_tick(connected=True)
            client.connection.flush()  # the PING waits too
        del slow.transport.written[:20]
    assert dead.transport.aborted
    assert not slow.transport.closing


async def test_nothing_is_sent_or_read_after_the_end(broker: Broker) -> None:
    client: Client = await broker.client()
    client.connection.hold("a")
    client.transport.close()
    await client.turn()
    client.connection.release("a")
    client.connection.send(b"x")
    client.connection.resume_writing()
    assert await client.turn() == []
    assert not client.connection.writable
    assert broker.service.connections == {}


async def test_error_of_the_transport(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    client.connection.connection_lost(ConnectionResetError("reset"))
    assert client.connection.closed
    [topic] = broker.service.topics.loaded.values()
    assert topic.producers == {}


async def test_a_bug_in_one_step_of_its_end_does_not_keep_a_connection(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    left: list[object] = []

    class Leaving:
        def __init__(self, *, fails: bool) -> None:
            self.subscription, self.fails = self, fails

        def detach(self, consumer: object) -> None:
            left.append(consumer)
            if self.fails:
                raise ZeroDivisionError("planted")

    consumers = {1: Leaving(fails=True), 2: Leaving(fails=False)}
    monkeypatch.setattr(client.connection, "consumers", dict(consumers))
    with pytest.raises(ZeroDivisionError):
        client.connection.connection_lost(None)
    assert left == list(consumers.values())
    [topic] = broker.service.topics.loaded.values()
    assert topic.producers == {}
    assert broker.service.connections == {}


async def test_bug_in_a_request_costs_that_request(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await broker.client()

    async def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(broker.service.topics, "get", fail)
    reply = await client.produce("x", 1)
    assert reply.error == ErrorCode.UNKNOWN
    assert kind_of(await client.ask(api.CommandPing())) == "pong"


async def test_a_half_closed_connection_is_closed_even_if_its_peer_reads_nothing(
    broker: Broker,
) -> None:
    client = await broker.client()
    # What cannot be written keeps the transport from telling of its end.
    client.transport.close = lambda: None  # type: ignore[method-assign]
    client.connection.pause_writing()
    client.connection.eof_received()
    assert client.connection.closed
    client.connection.keep_alive_tick(connected=True)
    assert client.transport.aborted


async def test_requests_under_way_are_bounded_and_hold_the_socket(
    start_broker: StartBroker,
) -> None:
    broker = await start_broker(BrokerConfig(limits=Limits(max_pending_requests_per_connection=4)))
    gate = asyncio.Event()
    broker.before_open = gate.wait  # type: ignore[assignment]
    client = await broker.client()
    for number in range(4):
        assert client.transport.reading
        client.send(api.CommandProducer(topic="x", producer_id=number, request_id=number))
    assert not client.transport.reading
    gate.set()
    assert len(await client.turn()) == 4
    assert client.transport.reading


async def test_a_lost_connection_is_freed_without_the_collector(broker: Broker) -> None:
    client = await broker.client()
    await client.produce("x", 1)
    client.send(api.CommandLookupTopic(topic="x", request_id=1))
    await client.turn()
    client.transport.close()
    await client.turn()
    lost = weakref.ref(client.connection)
    gc.disable()
    try:
        del client
        await asyncio.sleep(0)
        assert lost() is None
    finally:
        gc.enable()
