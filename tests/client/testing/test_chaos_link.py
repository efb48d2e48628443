"""A link on sockets: resets are resets, and a slow reader holds the writer up."""

import asyncio
import contextlib

from magnetar.testing.chaos import ChaosProxy, Fault


async def test_a_reset_is_seen_as_one() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1000):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with ChaosProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
        proxy.apply(Fault.RESET)
        writer.write(bytes(1000))
        try:
            rest = await reader.read()
        except ConnectionResetError:
            rest = b""
        assert len(rest) < 1000
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    server.close()
    await server.wait_closed()


async def test_a_reader_that_stops_stops_the_writer() -> None:
    release = asyncio.Event()
    got = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        await release.wait()
        while data := await reader.read(1 << 16):
            got += len(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1024)
    async with ChaosProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        total = 64 << 20
        writer.write(bytes(total))
        drained = asyncio.wait_for(writer.drain(), 0.1)
        with contextlib.suppress(TimeoutError):
            await drained
            raise AssertionError("64 MB went into nothing")
        release.set()
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        while got < total:
            await asyncio.sleep(0)
    server.close()
    await server.wait_closed()
