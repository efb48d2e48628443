"""One write per connection and loop turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from magnetar_broker.connection import Connection


class Flusher:
    """Keeps the connections that have something to send until the end of the loop's turn.

    Args:
        may_send: asked once per turn in which something is to leave; False holds all of it back
            until `release`. None where nothing is ever held.

    Attributes:
        held: Nothing leaves now.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, may_send: Callable[[], bool] | None = None
    ) -> None:
        self.held = False
        self._loop = loop
        self._may_send = may_send
        self._dirty: list[Connection] = []
        self._paused: dict[Connection, None] = {}

    def add(self, connection: Connection) -> None:
        """Flush this connection at the end of the turn; each is added once per turn."""
        if not self._dirty:
            self._loop.call_soon(self._flush)
        self._dirty.append(connection)
        if self.held:
            self._pause(connection)

    def release(self) -> None:
        """Let out what was held back."""
        if not self.held:
            return
        self.held = False
        self._loop.call_soon(self._flush)
        paused, self._paused = self._paused, {}
        for connection in paused:
            connection.resume_writing()

    def _hold(self) -> None:
        self.held = True
        for connection in self._dirty:
            self._pause(connection)

    def _pause(self, connection: Connection) -> None:
        """Nothing is made for it that would only wait here."""
        if connection.writable:
            self._paused[connection] = None
            connection.pause_writing()

    def _flush(self) -> None:
        if self._may_send is not None and not self._may_send():
            self._hold()
            return
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection.flush()
