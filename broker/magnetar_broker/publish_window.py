"""What one connection has published and not yet been told the end of, and the topics it went to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from magnetar_runtime.limits import Limits

if TYPE_CHECKING:
    from magnetar_broker.connection import Connection
    from magnetar_broker.publish_buffer import PublishBuffer
    from magnetar_broker.topic import Topic

PUBLISHES: Final = "publishes"
"""Why reading is held: too many messages of this connection wait for their receipts."""


class PublishWindow:
    """Holds the connection at its limits, and lets it go on at half of them.

    It does not hold the connection as an object: one that is lost must be freed at once.

    Attributes:
        messages, size_bytes: Wait for their receipts.
        topic: That the last message of this chunk went to; None before the first.
    """

    __slots__ = (
        "_buffer",
        "_limits",
        "_topics",
        "messages",
        "size_bytes",
        "topic",
    )

    def __init__(self, limits: Limits, buffer: PublishBuffer) -> None:
        self._limits = limits
        self._buffer = buffer
        self._topics: list[Topic] = []
        self.messages = 0
        self.size_bytes = 0
        self.topic: Topic | None = None

    def to(self, topic: Topic) -> None:
        """This chunk publishes to a topic: look at the limits at its end."""
        self.topic = topic
        self._topics.append(topic)

    def taken(self, connection: Connection, messages: int, size_bytes: int) -> None:
        """So much of one chunk is under way, or has ended already."""
        self.messages += messages
        self.size_bytes += size_bytes
        self._buffer.take(connection, size_bytes)

    def chunk_ended(self, connection: Connection) -> None:
        """Hand on what the chunk published, and hold what is too much."""
        topics, self._topics = self._topics, []
        self.topic = None
        for topic in topics:
            topic.append_published()
            topic.hold_if_full(connection)
        if not self._within(1):
            connection.hold(PUBLISHES)

    def ended(self, connection: Connection, messages: int, size_bytes: int) -> None:
        """So many messages have their receipts or errors."""
        self.messages -= messages
        self.size_bytes -= size_bytes
        self._buffer.give_back(size_bytes)
        if connection.held_for(PUBLISHES) and self._within(2):
            connection.release(PUBLISHES)

    def _within(self, part: int) -> bool:
        """Whether no more than the given part of the limits is used."""
        limits = self._limits
        return (
            self.messages * part <= limits.max_pending_publishes_per_connection
            and self.size_bytes * part <= limits.max_pending_publish_bytes_per_connection
        )
