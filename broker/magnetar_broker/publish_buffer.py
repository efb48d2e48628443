"""What all connections together have published and not yet been told the end of, in bytes. Pure."""

from collections.abc import Hashable
from typing import Final, Protocol

BUFFER: Final = "publish buffer"
"""Why reading is held: all connections together have too many bytes under way."""


class Holdable(Protocol):
    """A connection, as far as it can be held back."""

    def hold(self, reason: Hashable) -> None: ...

    def release(self, reason: Hashable) -> None: ...


class PublishBuffer:
    """Holds whoever publishes above the limit, and lets all go on at half of it.

    Attributes:
        used_bytes: under way now.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.used_bytes = 0
        self._limit_bytes = limit_bytes
        self._held: dict[Holdable, None] = {}

    def take(self, connection: Holdable, size_bytes: int) -> None:
        """A connection has published so much in one chunk."""
        self.used_bytes += size_bytes
        if self.used_bytes > self._limit_bytes and connection not in self._held:
            self._held[connection] = None
            connection.hold(BUFFER)

    def give_back(self, size_bytes: int) -> None:
        """So much has its receipts or errors."""
        self.used_bytes -= size_bytes
        if self._held and 2 * self.used_bytes <= self._limit_bytes:
            held, self._held = self._held, {}
            for connection in held:
                connection.release(BUFFER)
