"""Lines of stdin as they come, for a command that may end while nobody types any."""

import asyncio
import io
import os
import threading
from collections.abc import AsyncGenerator, Iterator
from typing import BinaryIO, Final

from magnetar_cli.exits import CommandFailedError

_MAX_LINE_BYTES: Final = 5 * 1024 * 1024
_AHEAD_LINES: Final = 16

_Item = bytes | Exception | None
"""A line, what reading ended with, or None at the end."""


async def lines_of(stream: BinaryIO) -> AsyncGenerator[bytes, None]:
    """Its lines without their ends; receipts go on while it is quiet.

    Raises:
        CommandFailedError: a line is too long; those before it were given.
        OSError: it cannot be read.
    """
    reader = _Reader(_own(stream))
    try:
        while (line := await reader.next()) is not None:
            yield line
    finally:
        reader.stop()


class _Reader:
    """A thread that nobody waits for: there is no way to wake it from a read of a terminal.

    Scenario: a command that read by `asyncio.to_thread` could not be ended by Ctrl-C, as the end of
    a loop waits for such threads.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[_Item] = asyncio.Queue()
        self._room = threading.Semaphore(_AHEAD_LINES)
        self._stopped = False
        threading.Thread(target=self._read, args=(stream,), name="stdin", daemon=True).start()

    async def next(self) -> bytes | None:
        """The next line, None at the end."""
        item = await self._items.get()
        self._room.release()
        if isinstance(item, Exception):
            raise item
        return item

    def stop(self) -> None:
        """Give no line any more."""
        self._stopped = True
        self._room.release()

    def _read(self, stream: BinaryIO) -> None:
        try:
            for line in read_lines(stream):
                self._room.acquire()
                if self._stopped:
                    return
                self._give(line)
            self._give(None)
        except (CommandFailedError, OSError) as error:
            self._give(error)

    def _give(self, item: _Item) -> None:
        try:
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)
        except RuntimeError:  # the loop is closed: the command has ended
            self._stopped = True


def _own(stream: BinaryIO) -> BinaryIO:
    """The same by a buffer of its own.

    At its end the interpreter closes `sys.stdin`, and aborts if a thread is reading by its buffer.
    """
    try:
        return os.fdopen(stream.fileno(), "rb", closefd=False)
    except io.UnsupportedOperation:
        return stream  # in memory


def read_lines(stream: BinaryIO) -> Iterator[bytes]:
    """The same in the thread that calls. Raises as `lines_of` does."""
    number = 0
    while line := stream.readline(_MAX_LINE_BYTES + len(b"\r\n")):
        number += 1
        content = line.removesuffix(b"\n").removesuffix(b"\r")
        if len(content) > _MAX_LINE_BYTES:
            raise CommandFailedError(
                f"line {number} is longer than {_MAX_LINE_BYTES >> 20} MiB, those before it are "
                "stored; what is larger may be sent with -f FILE --chunking"
            )
        yield content
