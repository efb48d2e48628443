"""How much room a bookie has, asked over the network."""

import asyncio
import ssl
from collections.abc import Sequence
from typing import NamedTuple

from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper.requests import (
    FREE_DISK_SPACE,
    TOTAL_DISK_CAPACITY,
    BookieInfoRequest,
)
from magnetar_proto.bookkeeper.responses import AddedRun, BookieInfoResponse, Response
from magnetar_proto.bookkeeper.stream import encode_request
from magnetar_runtime.network import Network

from magnetar_ledger.network.connection import BookieConnection
from magnetar_ledger.network.network_bookie import Address


class BookieSpace(NamedTuple):
    """Of all its ledger directories together."""

    total_bytes: int
    free_bytes: int


async def read_bookie_space(
    network: Network, address: Address, timeout_ms: int, tls: ssl.SSLContext | None = None
) -> BookieSpace | None:
    """Ask a bookie, by TLS if there is a context; None if it does not say within the time."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[BookieSpace | None] = loop.create_future()

    def responded(responses: Sequence[Response | AddedRun]) -> None:
        if not answer.done():
            answer.set_result(_space(responses[0]))

    def lost(_connection: BookieConnection) -> None:
        if not answer.done():
            answer.set_result(None)

    connection = BookieConnection(responded, lost)
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            await network.connect(lambda: connection, *address)
            if tls is not None:
                await connection.secure(tls, address[0], timeout_ms)
            parts: list[bytes] = []
            encode_request(BookieInfoRequest(1, TOTAL_DISK_CAPACITY | FREE_DISK_SPACE), parts)
            connection.write(parts)
            return await answer
    except (OSError, TimeoutError):
        return None
    finally:
        connection.abort()


def _space(response: Response | AddedRun) -> BookieSpace | None:
    if not isinstance(response, BookieInfoResponse) or response.status is not Status.OK:
        return None
    if response.total_disk_bytes is None or response.free_disk_bytes is None:
        return None
    return BookieSpace(response.total_disk_bytes, response.free_disk_bytes)
