"""An HTTP server of a few lines for tests: it answers from a list and keeps what it was asked."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

HANG = b"hang"
"""As an answer: none ever comes."""


class WebServer:
    """Attributes: asked: requests, the whole heads."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.port = 0
        self._done = asyncio.Event()

    @property
    def targets(self) -> list[str]:
        return [head.split(" ")[1] for head in self.asked]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        answer = self.answers.pop(0)
        if answer == HANG:
            await self._done.wait()
        else:
            writer.write(answer)
        writer.close()

    def end(self) -> None:
        self._done.set()


def answer(status: int, body: str = "", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join([*lines, "", ""]) + body).encode()


@asynccontextmanager
async def web_server(
    *answers: bytes, tls: ssl.SSLContext | None = None
) -> AsyncIterator[WebServer]:
    server = WebServer(*answers)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield server
        server.end()
