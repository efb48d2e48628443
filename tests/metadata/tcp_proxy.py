"""A TCP proxy on the loopback that loses replies, cuts connections and refuses new ones."""

import asyncio
from contextlib import suppress


class TcpProxy:
    """Forwards to `port`. Runs on the loop of the test.

    Attributes:
        deaf: what the server sends is thrown away.
        refusing: new connections are closed at once.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.deaf = False
        self.refusing = False
        self.port = 0

    async def __aenter__(self) -> "TcpProxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self.refusing = True
        self._server.close()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def hosts(self) -> str:
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Reset all connections."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        try:
            to_server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._pump(reader, to_server[1], replies=False)
        self._pump(to_server[0], writer, replies=True)

    def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, replies: bool
    ) -> None:
        async def run() -> None:
            self._writers.add(writer)
            with suppress(OSError):
                while data := await reader.read(65536):
                    if not (replies and self.deaf):
                        writer.write(data)
                        await writer.drain()
            self._writers.discard(writer)
            writer.transport.abort()

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
