"""A producer of one connection, attached to one topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magnetar_broker import answers
from magnetar_broker.errors import BrokerError

if TYPE_CHECKING:
    from magnetar_broker.connection import Connection
    from magnetar_broker.topic import Topic


class Producer:
    """Attributes:
    producer_id: chosen by the client, unique on its connection.
    name: unique on its topic while attached.
    epoch: counts the client's reconnects; a higher one replaces this producer silently.
    topic_epoch: the one that its client had as an owner of the topic, if it was one.
    connected_since_ms: when it came (wall clock).
    messages_in, bytes_in: stored since then.
    closed: detached; what is still under way for it is answered, nothing new is taken.
    """

    __slots__ = (
        "access_mode",
        "bytes_in",
        "closed",
        "connected_since_ms",
        "connection",
        "epoch",
        "messages_in",
        "name",
        "producer_id",
        "topic",
        "topic_epoch",
        "user_provided_name",
    )

    def __init__(
        self,
        topic: Topic,
        connection: Connection,
        producer_id: int,
        name: str,
        *,
        epoch: int,
        user_provided_name: bool,
        access_mode: int,
        topic_epoch: int | None = None,
    ) -> None:
        self.topic = topic
        self.connection = connection
        self.producer_id = producer_id
        self.name = name
        self.epoch = epoch
        self.user_provided_name = user_provided_name
        self.access_mode = access_mode
        self.topic_epoch = topic_epoch
        self.closed = False
        self.connected_since_ms = topic.service.clock.wall_ms()
        self.messages_in = 0
        self.bytes_in = 0

    @property
    def counters(self) -> tuple[int, int]:
        """What rates are taken of."""
        return self.messages_in, self.bytes_in

    def replaced_by(self, newcomer: Producer) -> bool:
        """Whether the newcomer is this very producer, come again."""
        return (
            newcomer.connection is self.connection
            and newcomer.producer_id == self.producer_id
            and newcomer.epoch > self.epoch
        )

    def send_error(self, sequence_id: int, error: BrokerError) -> None:
        """Tell that one message was not stored, or not certainly."""
        self.connection.send(
            answers.send_error(self.producer_id, sequence_id, error.code, str(error))
        )

    def fence_out(self) -> None:
        """Detach for another producer that takes the topic; the client is not told, as in Pulsar.

        Its next SEND, of a producer that its connection does not have, costs the connection.
        """
        self.topic.remove_producer(self)
        self.connection.forget_producer(self)

    def close_by_broker(self) -> None:
        """Detach; the client is told behind its last receipt to look the topic up again.

        Were it told before, it would send again what is being stored.
        """
        self.topic.remove_producer(self)
        self.connection.drop_producer(self)
        self.topic.in_order(self._tell_closed, self)

    def _tell_closed(self) -> None:
        self.connection.send(answers.close_producer(self.producer_id))
