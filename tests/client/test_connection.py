"""A connection over a transport that the test reads, with the broker's frames from the test."""

import asyncio
from typing import Any

import pytest
from magnetar.authentication import AuthenticationToken
from magnetar.connection import Connection
from magnetar.errors import (
    AuthenticationError,
    ConnectError,
    PulsarException,
    Timeout,
    TopicNotFound,
)
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import FrameSplitter, encode_command, encode_payload_command
from magnetar_runtime.scope import TaskScope


class Wire:
    """A transport and the broker at its other end."""

    def __init__(self, keep_alive_ms: int = 60_000, token: Any = "secret") -> None:
        self.scope = TaskScope()
        self.ended: list[Connection] = []
        self.connection = Connection(
            "broker", AuthenticationToken(token), keep_alive_ms, self.scope, self.ended.append
        )
        self.closed = False
        self._splitter = FrameSplitter(1 << 20)
        self._written = bytearray()
        self.connection.connection_made(self)  # type: ignore[arg-type]

    def write(self, data: bytes) -> None:
        self._written += data

    def writelines(self, parts: list[bytes]) -> None:
        self.write(b"".join(parts))

    def close(self) -> None:
        self.closed = True

    abort = close

    def give(self, *commands: Any) -> None:
        data = b"".join(map(encode_command, commands))
        self.give_bytes(data)

    def give_bytes(self, data: bytes) -> None:
        room = self.connection.get_buffer(-1)
        room[: len(data)] = data
        self.connection.buffer_updated(len(data))

    async def sent(self) -> list[Any]:
        for _ in range(3):
            await asyncio.sleep(0)
        data, self._written = bytes(self._written), bytearray()
        return [message for _, message, _ in self._splitter.feed(data)]


async def connected(**options: Any) -> Wire:
    wire = Wire(**options)
    task = asyncio.create_task(wire.connection.handshake())
    [connect] = await wire.sent()
    assert (connect.auth_method_name, connect.auth_data) == ("token", b"secret")
    wire.give(api.CommandConnected(server_version="v", max_message_size=1000))
    await task
    assert wire.connection.max_message_bytes == 1000
    return wire


async def ask(wire: Wire, timeout_s: float = 5) -> "asyncio.Task[Any]":
    command = api.CommandLookupTopic(topic="t")
    task = asyncio.create_task(wire.connection.request(command, "lookup of t", timeout_s))
    await asyncio.sleep(0)
    return task


async def test_a_refused_handshake() -> None:
    wire = Wire()
    task = asyncio.create_task(wire.connection.handshake())
    await wire.sent()
    error = api.CommandError(request_id=2**64 - 1, error=api.AuthenticationError, message="no")
    wire.give(error)
    with pytest.raises(AuthenticationError, match="no"):
        await task
    assert wire.closed


async def test_answers_find_their_questions() -> None:
    wire = await connected()
    tasks = [await ask(wire) for _ in range(3)]
    first, second, third = await wire.sent()
    wire.give(
        api.CommandLookupTopicResponse(request_id=second.request_id, response="Connect"),
        api.CommandError(request_id=third.request_id, error=api.TopicNotFound, message="x"),
        api.CommandLookupTopicResponse(
            request_id=first.request_id, response="Failed", error=api.ServiceNotReady, message="y"
        ),
    )
    assert (await tasks[1]).request_id == second.request_id
    with pytest.raises(TopicNotFound, match="lookup of t: x"):
        await tasks[2]
    with pytest.raises(PulsarException, match="y"):
        await tasks[0]


async def test_an_answer_that_does_not_come() -> None:
    wire = await connected()
    task = await ask(wire, 0.01)
    with pytest.raises(Timeout, match="lookup of t"):
        await task
    assert len(wire.connection._requests) == 0


async def test_who_waits_for_a_topic_waits_longer() -> None:
    wire = await connected()
    command = api.CommandProducer(topic="t", producer_id=1)
    task = asyncio.create_task(wire.connection.request(command, "p", 0.02))
    [sent] = await wire.sent()
    success = api.CommandProducerSuccess(
        request_id=sent.request_id, producer_name="n", producer_ready=False
    )
    wire.give(success)
    await asyncio.sleep(0.05)
    assert not task.done()
    success.producer_ready = True
    wire.give(success)
    assert (await task).producer_name == "n"


async def test_a_cancelled_question_leaves_nothing() -> None:
    wire = await connected()
    task = await ask(wire)
    [sent] = await wire.sent()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(wire.connection._requests) == 0
    wire.give(api.CommandLookupTopicResponse(request_id=sent.request_id))


async def test_the_end_of_the_connection_is_told_to_all() -> None:
    wire = await connected()
    task = await ask(wire)
    lost: list[object] = []

    class Link:
        def link_lost(self, connection: Connection) -> None:
            lost.append(connection)

    wire.connection.producers[1] = Link()  # type: ignore[assignment]
    wire.connection.consumers[2] = Link()  # type: ignore[assignment]
    wire.connection.connection_lost(ConnectionResetError("reset"))
    with pytest.raises(ConnectError, match="reset"):
        await task
    assert len(lost) == 2
    assert wire.ended == [wire.connection]
    with pytest.raises(ConnectError):
        await wire.connection.request(api.CommandLookupTopic(topic="t"), "x", 1)


async def test_closing_one_producer_costs_that_one() -> None:
    wire = await connected()
    lost: list[int] = []

    class Link:
        def __init__(self, number: int) -> None:
            self.number = number

        def link_lost(self, connection: Connection) -> None:
            lost.append(self.number)

    wire.connection.producers.update({1: Link(1), 2: Link(2)})  # type: ignore[dict-item]
    wire.give(api.CommandCloseProducer(producer_id=2, request_id=2**64 - 1))
    assert lost == [2]
    assert set(wire.connection.producers) == {1}


async def test_ping_and_a_fresh_proof() -> None:
    wire = await connected(token=iter([b"secret", b"fresh"]).__next__)
    wire.give(api.CommandPing(), api.CommandAuthChallenge())
    pong, answer = await wire.sent()
    assert isinstance(pong, api.CommandPong)
    assert answer.response.auth_data == b"fresh"


async def test_a_silent_broker_is_given_up() -> None:
    wire = await connected(keep_alive_ms=10)
    await asyncio.sleep(0.015)
    assert [type(each) for each in await wire.sent()] == [api.CommandPing]
    async with asyncio.timeout(5):
        while not wire.closed:
            await asyncio.sleep(0.005)
    assert wire.connection.closed


async def test_what_is_not_the_protocol_ends_it() -> None:
    wire = await connected()
    wire.give_bytes(b"\xff" * 16)
    assert wire.closed
    assert wire.connection.closed


async def test_messages_of_a_consumer_that_is_gone_are_nobodys() -> None:
    wire = await connected()
    place = api.MessageIdData(ledgerId=1, entryId=1)
    head = encode_payload_command(api.CommandMessage(consumer_id=9, message_id=place), b"12345678")
    wire.give_bytes(head + b"12345678")
    assert not wire.connection.closed
