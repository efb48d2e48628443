"""Protocols that remember what their transport did to them, and who can wait for it."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from magnetar_runtime.sim import SimLoop

REAL_TIMEOUT_S = 10.0
SIM_TIMEOUT_S = 3600.0  # slow lines cost nothing


class Recorder:
    """What both kinds of protocol share.

    Attributes:
        calls: Names of callbacks in their order, without those that bring data.
        on_data: Called when data has come.
        keep_open: What `eof_received` answers.
    """

    def __init__(self) -> None:
        self.transport = cast(asyncio.Transport, None)
        self.data = bytearray()
        self.calls: list[str] = []
        self.errors: list[Exception | None] = []
        self.keep_open = False
        self.on_data: Callable[[], None] = lambda: None
        self.on_made: Callable[[], None] = lambda: None
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._called("made")
        self.on_made()

    def pause_writing(self) -> None:
        self._called("pause")

    def resume_writing(self) -> None:
        self._called("resume")

    def eof_received(self) -> bool:
        self._called("eof")
        return self.keep_open

    def connection_lost(self, error: Exception | None) -> None:
        self.errors.append(error)
        self._called("lost")

    def _took(self, data: Any) -> None:
        assert "lost" not in self.calls, "data after the end"
        self.data += data
        self._changed.set()
        self.on_data()

    def _called(self, name: str) -> None:
        self.calls.append(name)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a callback has made something so."""
        simulated = isinstance(asyncio.get_running_loop(), SimLoop)
        async with asyncio.timeout(SIM_TIMEOUT_S if simulated else REAL_TIMEOUT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def flood(self) -> bytes:
        """Write more than all buffers on the way take; gives what was written."""
        piece = bytes(range(256)) * 256
        written = 0
        while "pause" not in self.calls:
            self.transport.write(piece)
            written += 1
            assert written < 1000, "nothing holds the writer back"
        return piece * written

    async def has(self, count: int) -> None:
        await self.until(lambda: len(self.data) >= count)

    async def was(self, call: str) -> None:
        await self.until(lambda: call in self.calls)


class StreamRecorder(Recorder, asyncio.Protocol):
    """Gets `bytes`."""

    def data_received(self, data: bytes) -> None:
        self._took(data)


class BufferedRecorder(Recorder, asyncio.BufferedProtocol):
    """Lends one buffer again and again, at times a small one."""

    def __init__(self, buffer_bytes: int = 4096) -> None:
        super().__init__()
        self._buffer = bytearray(buffer_bytes)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._took(self._buffer[:nbytes])
