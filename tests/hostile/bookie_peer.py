"""A peer of a bookie over a real socket, that may send whatever it likes."""

import asyncio
import time
from typing import Any, Final

from magnetar_proto.bookkeeper.requests import VERSION_2, AddRequest, Request
from magnetar_proto.bookkeeper.stream import ResponseStream, encode_request

HOST: Final = "127.0.0.1"
MAX_FRAME_BYTES: Final = 6 << 20
KEY: Final = b"k" * 20


def header_of(ledger_id: int, entry_id: int) -> bytes:
    """What an entry begins with."""
    numbers = (ledger_id, entry_id, entry_id - 1, 0)
    return b"".join(number.to_bytes(8, "big", signed=True) for number in numbers)


def add_of(
    ledger_id: int,
    entry_id: int,
    version: int = VERSION_2,
    *,
    key: bytes = KEY,
    payload: bytes = b"crc!payload",
) -> AddRequest:
    """An add that is as it should be."""
    header = header_of(ledger_id, entry_id)
    return AddRequest(version, entry_id, 0, ledger_id, entry_id, key, header, payload)


def encoded(*requests: Request) -> bytes:
    """The frames of some requests."""
    parts: list[bytes] = []
    for request in requests:
        encode_request(request, parts)
    return b"".join(parts)


class Peer:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.opened_s = time.monotonic()
        self._reader = reader
        self._stream = ResponseStream(MAX_FRAME_BYTES)

    @classmethod
    async def open(cls, port: int) -> "Peer":
        """Connects."""
        return cls(*await asyncio.open_connection(HOST, port))

    def send(self, *requests: Request) -> None:
        """Sends without waiting."""
        self.writer.write(encoded(*requests))

    async def ask(self, *requests: Request) -> list[Any]:
        """Sends, and reads as many answers."""
        self.send(*requests)
        found: list[Any] = []
        while len(found) < len(requests):
            found += await self.read()
        return found

    async def read(self) -> list[Any]:
        """What comes next. Raises ConnectionError if the bookie closes."""
        data = await self._reader.read(1 << 16)
        if not data:
            raise ConnectionResetError("closed by the bookie")
        return list(self._stream.feed(data))

    async def until_closed(self) -> float:
        """Reads on until the bookie closes; seconds since the opening."""
        try:
            while True:
                await self.read()
        except ConnectionError:
            self.writer.close()
            return time.monotonic() - self.opened_s
