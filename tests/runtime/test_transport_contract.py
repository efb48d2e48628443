"""What the product expects of a transport: one suite for asyncio, uvloop and the simulator.

Where the real two differ (a call after connection_lost, a pause in connection_made) nothing is
promised, and the product must not ask.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import pytest
from magnetar_runtime.network import Listener, Network, SystemNetwork
from magnetar_runtime.sim import SimLoop, SimNetwork

from tests.runtime.recorders import BufferedRecorder, Recorder, StreamRecorder

BIG = bytes(range(256)) * 1024


class Pair(NamedTuple):
    """The two ends of a connection."""

    client: Recorder
    server: Recorder
    port: int


Join = Callable[..., Awaitable[Pair]]


def _network() -> Network:
    loop = asyncio.get_running_loop()
    return SimNetwork(loop).host("one") if isinstance(loop, SimLoop) else SystemNetwork()


@pytest.fixture
async def join() -> AsyncIterator[Join]:
    """Opens connections; both ends are buffered protocols unless told otherwise."""
    network = _network()
    listeners: list[Listener] = []
    opened: list[Pair] = []

    async def join(
        make_server: Callable[[], Any] = BufferedRecorder,
        make_client: Callable[[], Any] = BufferedRecorder,
    ) -> Pair:
        accepted: list[Recorder] = []

        def accept() -> Any:
            accepted.append(make_server())
            return accepted[-1]

        listeners.append(await network.listen(accept, "127.0.0.1", 0))
        [port] = listeners[-1].ports
        transport, client = await network.connect(make_client, "127.0.0.1", port)
        assert client.calls == ["made"]  # type: ignore[attr-defined]
        assert client.transport is transport  # type: ignore[attr-defined]
        while not accepted:
            await asyncio.sleep(0)
        await accepted[0].was("made")
        opened.append(Pair(client, accepted[0], port))  # type: ignore[arg-type]
        return opened[-1]

    yield join
    for pair in opened:
        for end in (pair.client, pair.server):
            if not end.errors:
                end.transport.abort()
            await end.was("lost")
            assert end.calls.count("lost") == 1, end.calls
            assert end.calls[0] == "made"
            assert end.calls[-1] == "lost", "nothing comes after the end"
    for listener in listeners:
        listener.close()
        await listener.wait_closed()


@pytest.mark.parametrize("make", [StreamRecorder, BufferedRecorder, lambda: BufferedRecorder(7)])
async def test_bytes_arrive_in_order_and_once(join: Join, make: Callable[[], Recorder]) -> None:
    pair = await join(make_server=make)
    expected = bytearray()
    for number in range(200):
        data = bytes([number % 251]) * (number * 7 % 300 + 1)
        expected += data
        if number % 3 == 0:
            pair.client.transport.write(data)
        elif number % 3 == 1:
            pair.client.transport.writelines([data[:5], b"", memoryview(data)[5:]])
        else:
            pair.client.transport.write(bytearray(data))
        if number % 10 == 0:
            await asyncio.sleep(0)
    await pair.server.has(len(expected))
    assert pair.server.data == expected


async def test_both_directions_at_once(join: Join) -> None:
    pair = await join()
    pair.client.transport.write(BIG)
    pair.server.transport.write(BIG[::-1])
    await pair.server.has(len(BIG))
    await pair.client.has(len(BIG))
    assert pair.server.data == BIG
    assert pair.client.data == BIG[::-1]


async def test_an_empty_write_is_nothing(join: Join) -> None:
    pair = await join()
    pair.client.transport.write(b"")
    pair.client.transport.writelines([])
    pair.client.transport.writelines([b"", b"x"])
    await pair.server.has(1)
    assert pair.server.data == b"x"


async def test_nothing_comes_while_reading_is_paused(join: Join) -> None:
    pair = await join()
    held: list[int] = []

    def hold() -> None:
        pair.server.transport.pause_reading()
        assert not pair.server.transport.is_reading()
        held.append(len(pair.server.data))
        asyncio.get_running_loop().call_later(0.002, release)

    def release() -> None:
        assert len(pair.server.data) == held[-1], "data while paused"
        pair.server.transport.resume_reading()
        assert pair.server.transport.is_reading()

    pair.server.on_data = hold
    for _ in range(20):
        pair.client.transport.write(b"0123456789" * 20)
        await asyncio.sleep(0.001)
    await pair.server.has(4000)
    assert pair.server.data == b"0123456789" * 400
    assert held


async def test_a_pause_counts_at_once_whoever_asks(join: Join) -> None:
    """Also when the socket was seen to be readable just before."""
    pair = await join()
    for _ in range(40):
        for _ in range(5):
            pair.client.transport.write(b"0123456789")
            await asyncio.sleep(0)
        pair.server.transport.pause_reading()
        before = len(pair.server.data)
        await asyncio.sleep(0.001)
        assert len(pair.server.data) == before
        pair.server.transport.resume_reading()
    await pair.server.has(2000)
    assert pair.server.data == b"0123456789" * 200
    assert pair.client.transport.get_write_buffer_size() == 0


async def test_pausing_and_resuming_twice_is_the_same_as_once(join: Join) -> None:
    pair = await join()
    for _ in range(2):
        pair.server.transport.pause_reading()
    pair.client.transport.write(b"x")
    for _ in range(2):
        pair.server.transport.resume_reading()
    await pair.server.has(1)


async def test_a_reader_that_stops_stops_the_writer(join: Join) -> None:
    pair = await join()
    pair.server.transport.pause_reading()
    flood = pair.client.flood()
    assert pair.client.transport.get_write_buffer_size() > 64 * 1024
    for _ in range(20):
        await asyncio.sleep(0)
    assert pair.client.calls == ["made", "pause"]
    pair.server.transport.resume_reading()
    await pair.client.was("resume")
    assert pair.client.transport.get_write_buffer_size() <= 16 * 1024
    await pair.server.has(len(flood))
    assert pair.server.data == flood
    assert pair.client.calls == ["made", "pause", "resume"]


async def test_the_limits_of_the_write_buffer_can_be_set(join: Join) -> None:
    pair = await join()
    pair.server.transport.pause_reading()
    transport = pair.client.transport
    transport.set_write_buffer_limits(high=1 << 30)
    transport.write(BIG * 50)
    await asyncio.sleep(0)
    assert pair.client.calls == ["made"]
    transport.set_write_buffer_limits(high=100, low=50)
    assert transport.get_write_buffer_limits() == (50, 100)
    await pair.client.was("pause")
    with pytest.raises(ValueError, match="high"):
        transport.set_write_buffer_limits(high=1, low=2)


async def test_a_half_closed_connection_goes_on_the_other_way(join: Join) -> None:
    pair = await join()
    pair.server.keep_open = True
    assert pair.client.transport.can_write_eof()
    pair.client.transport.write(BIG)
    pair.client.transport.write_eof()
    with pytest.raises(RuntimeError, match="write_eof"):
        pair.client.transport.write(b"more")
    await pair.server.was("eof")
    assert pair.server.data == BIG, "the end comes behind the bytes"
    assert not pair.server.transport.is_closing()
    pair.server.transport.write(BIG)
    await pair.client.has(len(BIG))
    assert pair.client.calls == ["made"] or "pause" in pair.client.calls
    pair.server.transport.close()
    await pair.client.was("lost")
    await pair.server.was("lost")
    assert pair.client.calls.count("eof") == 1
    assert pair.client.errors == pair.server.errors == [None]


async def test_an_end_that_nobody_keeps_open_closes_both(join: Join) -> None:
    pair = await join()
    pair.client.transport.write(b"last words")
    pair.client.transport.write_eof()
    await pair.server.was("lost")
    await pair.client.was("lost")
    assert pair.server.data == b"last words"
    assert pair.server.errors == pair.client.errors == [None]


async def test_close_sends_what_waits(join: Join) -> None:
    pair = await join()
    flood = pair.client.flood()
    pair.client.transport.close()
    assert pair.client.transport.is_closing()
    assert "lost" not in pair.client.calls, "never inside the call"
    await pair.server.was("eof")
    assert pair.server.data == flood
    await pair.client.was("lost")
    assert pair.client.errors == [None]


async def test_what_is_written_behind_close_is_ignored(join: Join) -> None:
    pair = await join()
    pair.client.transport.write(b"before")
    await pair.server.has(6)
    pair.client.transport.close()
    pair.client.transport.write(b"behind")
    pair.client.transport.writelines([b"behind"])
    await pair.server.was("lost")
    assert pair.server.data == b"before"


async def test_nothing_comes_behind_close(join: Join) -> None:
    pair = await join()
    pair.client.on_data = pair.client.transport.close
    for _ in range(50):
        if not pair.server.errors:
            pair.server.transport.write(b"x" * 100)
        await asyncio.sleep(0)
    await pair.client.was("lost")
    assert pair.client.calls == ["made", "lost"], "no eof either"


async def test_abort_drops_what_waits(join: Join) -> None:
    pair = await join()
    pair.server.transport.pause_reading()
    flood = pair.client.flood()
    pair.client.transport.abort()
    assert pair.client.transport.is_closing()
    assert "lost" not in pair.client.calls, "never inside the call"
    await pair.client.was("lost")
    assert pair.client.errors == [None]
    pair.server.transport.resume_reading()
    await pair.server.was("lost")
    assert len(pair.server.data) < len(flood)
    assert flood.startswith(bytes(pair.server.data))


async def test_closing_in_every_way_is_one_end(join: Join) -> None:
    pair = await join()
    pair.client.flood()
    pair.client.transport.close()
    pair.client.transport.close()
    pair.client.transport.abort()
    pair.client.transport.abort()
    await pair.client.was("lost")
    await asyncio.sleep(0.001)
    assert pair.client.calls.count("lost") == 1
    await pair.server.was("lost")


async def test_closing_in_connection_made_ends_it(join: Join) -> None:
    def refuse() -> Recorder:
        recorder = BufferedRecorder()

        def turn_away() -> None:
            recorder.transport.write(b"go away")
            recorder.transport.close()

        recorder.on_made = turn_away
        return recorder

    pair = await join(make_server=refuse)
    await pair.client.was("lost")
    assert pair.client.data == b"go away"


async def test_a_paused_reader_can_close(join: Join) -> None:
    pair = await join()
    pair.server.transport.pause_reading()
    pair.server.transport.close()
    await pair.server.was("lost")
    await pair.client.was("lost")


async def test_closing_with_bytes_unread_breaks_the_writer(join: Join) -> None:
    pair = await join()
    pair.server.transport.pause_reading()
    pair.client.flood()
    pair.server.transport.close()
    await pair.client.was("lost")
    assert isinstance(pair.client.errors[0], OSError)


async def test_a_failing_protocol_loses_its_connection_only(join: Join) -> None:
    pair, other = await join(make_server=StreamRecorder), await join()
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    def fail() -> None:
        raise ValueError("a bug")

    pair.server.on_data = fail
    pair.client.transport.write(b"x")
    await pair.server.was("lost")
    await pair.client.was("lost")
    assert [str(context["exception"]) for context in reported] == ["a bug"]
    other.client.transport.write(b"x")
    await other.server.has(1)


async def test_both_ends_know_their_addresses(join: Join) -> None:
    pair = await join()
    client, server = pair.client.transport, pair.server.transport
    assert client.get_extra_info("peername") == ("127.0.0.1", pair.port)
    assert server.get_extra_info("sockname") == client.get_extra_info("peername")
    assert server.get_extra_info("peername") == client.get_extra_info("sockname")
    assert server.get_extra_info("no such thing", 7) == 7


async def test_nobody_listens() -> None:
    network = _network()
    listener = await network.listen(BufferedRecorder, "127.0.0.1", 0)
    [port] = listener.ports
    with pytest.raises(OSError, match=r"taken|in use|bind"):
        await network.listen(BufferedRecorder, "127.0.0.1", port)
    listener.close()
    await listener.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        await network.connect(BufferedRecorder, "127.0.0.1", port)


async def test_closing_a_listener_leaves_its_connections_open() -> None:
    network = _network()
    accepted: list[Recorder] = []

    def accept() -> Any:
        accepted.append(BufferedRecorder())
        return accepted[-1]

    listener = await network.listen(accept, "127.0.0.1", 0)
    transport, client = await network.connect(BufferedRecorder, "127.0.0.1", listener.ports[0])
    listener.close()
    transport.write(b"x")
    while not accepted:
        await asyncio.sleep(0)
    await accepted[0].has(1)
    transport.close()
    await accepted[0].was("lost")
    await client.was("lost")  # type: ignore[attr-defined]
    await listener.wait_closed()
