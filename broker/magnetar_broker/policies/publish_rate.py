"""Producers of a topic are read no faster than its publish rate: their sockets rest meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from magnetar_broker.policies.token_bucket import TokenBucket

if TYPE_CHECKING:
    from magnetar_broker.connection import Connection
    from magnetar_broker.policies.values import PublishRateLimit
    from magnetar_broker.topic import Topic

_SECOND_NS: Final = 1_000_000_000


class PublishRate:
    """One topic's. A topic without a limit never asks it.

    Attributes:
        times_held: How often a connection had to wait.
    """

    def __init__(self, topic: Topic) -> None:
        self.times_held = 0
        self._topic = topic
        self._limit: PublishRateLimit | None = None
        self._messages: TokenBucket | None = None
        self._bytes: TokenBucket | None = None
        self._held: dict[Connection, None] = {}

    def follow(self, limit: PublishRateLimit) -> bool:
        """Limit to this from now on; whether it is a limit at all."""
        if limit != self._limit:
            self._limit = limit
            now_ns = self._now_ns()
            self._messages = _bucket(limit.messages, now_ns)
            self._bytes = _bucket(limit.size_bytes, now_ns)
            self.release()
        return self._messages is not None or self._bytes is not None

    def append_published(self) -> None:
        """Count what a chunk of a connection brought, and hand it on."""
        messages, size_bytes = self._topic.publishing.waiting_to_be_appended
        now_ns = self._now_ns()
        if self._messages is not None:
            self._messages.take(messages, now_ns)
        if self._bytes is not None:
            self._bytes.take(size_bytes, now_ns)
        self._topic.publishing.append_published()

    def hold_if_over(self, connection: Connection) -> None:
        """Have a connection that published here wait while the topic is ahead of its rate."""
        self._topic.publishing.hold_if_full(connection)
        now_ns = self._now_ns()
        buckets = [each for each in (self._messages, self._bytes) if each is not None]
        wait_ns = max((each.wait_ns(now_ns) for each in buckets), default=0)
        if not wait_ns or connection in self._held:
            return
        self.times_held += 1
        self._held[connection] = None
        connection.hold(self)
        self._topic.service.loop.call_later(wait_ns / _SECOND_NS, self._let_go, connection)

    def _let_go(self, connection: Connection) -> None:
        if connection in self._held:
            del self._held[connection]
            connection.release(self)

    def release(self) -> None:
        """Let those go on that were held back."""
        held, self._held = self._held, {}
        for connection in held:
            connection.release(self)

    def _now_ns(self) -> int:
        return self._topic.service.clock.monotonic_ns()


def _bucket(per_second: int, now_ns: int) -> TokenBucket | None:
    return TokenBucket(per_second, _SECOND_NS, now_ns) if per_second > 0 else None
