"""The room of a bookie, asked over the network."""

import asyncio

import pytest
from magnetar_ledger.network.bookie_info import BookieSpace, read_bookie_space
from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper.requests import BookieInfoRequest
from magnetar_proto.bookkeeper.responses import BookieInfoResponse, Response
from magnetar_proto.bookkeeper.stream import RequestStream, encode_response
from magnetar_runtime.network import SystemNetwork


async def asked(answer: Response | None) -> BookieSpace | None:
    """Ask a server that gives this answer, or hangs up."""
    requests: list[object] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = RequestStream(1 << 20)
        while not requests:
            requests.extend(stream.feed(await reader.read(1 << 16)))
        if answer is not None:
            parts: list[bytes] = []
            encode_response(answer, parts)
            writer.writelines(parts)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        found = await read_bookie_space(SystemNetwork(), ("127.0.0.1", port), 5_000)
    assert requests == [BookieInfoRequest(1, 3)]
    return found


@pytest.mark.parametrize(
    ("answer", "space"),
    [
        (BookieInfoResponse(1, Status.OK, 100, 7), BookieSpace(100, 7)),
        (BookieInfoResponse(1, Status.OK, 100, None), None),
        (BookieInfoResponse(1, Status.IO_ERROR, 100, 7), None),
        (None, None),
    ],
)
async def test_what_it_says(answer: Response | None, space: BookieSpace | None) -> None:
    assert await asked(answer) == space


async def test_nobody_is_there() -> None:
    assert await read_bookie_space(SystemNetwork(), ("127.0.0.1", 1), 1_000) is None
