"""The way of one PRODUCER: the topic, its initial subscription, the place among its producers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magnetar_broker import answers
from magnetar_broker.errors import BrokerError, NotAllowedError, ProducerBusyError
from magnetar_broker.name_length import check_name_length
from magnetar_broker.producer import Producer
from magnetar_broker.subscribe import (
    SubscriptionOptions,
    check_subscription_name,
    open_subscription,
)
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    from magnetar_proto import pulsar_api_pb2 as api

    from magnetar_broker.connection import Connection
    from magnetar_broker.topic import Topic


class Producing:
    """One PRODUCER that has not got its last answer yet. The `Waiter` of its producer.

    A producer that waits for its topic is a row of that topic and an object here, and no task.
    """

    __slots__ = ("_connection", "_producer", "_request")

    def __init__(self, connection: Connection, request: api.CommandProducer) -> None:
        self._connection = connection
        self._request = request
        self._producer: Producer | None = None

    def start(self) -> None:
        """Begin, beside the commands that follow."""
        self._connection.producing[self._request.producer_id] = self
        self._connection.request(self._produce(), self.refused, "PRODUCER")

    async def _produce(self) -> None:
        name = TopicName.parse(self._request.topic)
        check_name_length("producer", self._request.producer_name, ProducerBusyError)
        topic = await self._connection.service.topic(name, create=True)
        await self._open_initial_subscription(topic)
        self._producer = producer = self._producer_of(topic)
        if await topic.add_producer(producer, self):
            self._done()
        elif self._wanted:
            self._answer(ready=False)
        else:
            topic.remove_producer(producer)

    async def _open_initial_subscription(self, topic: Topic) -> None:
        """Make the subscription that is to get all that is published, as dead letters need it."""
        name = self._request.initial_subscription_name
        if not name or not topic.name.persistent or name in topic.subscriptions:
            return
        check_subscription_name(name)
        if not topic.policies.auto_subscriptions:
            raise NotAllowedError(
                f"Initial subscription {name} of {topic.name} does not exist and automatic "
                "creation is off"
            )
        options = SubscriptionOptions(name, earliest=True)
        await open_subscription(topic, options, topic.consume_context)

    def _producer_of(self, topic: Topic) -> Producer:
        request = self._request
        epoch = request.topic_epoch if request.HasField("topic_epoch") else None
        return Producer(
            topic,
            self._connection,
            request.producer_id,
            request.producer_name or self._connection.service.new_producer_name(),
            epoch=request.epoch,
            user_provided_name=request.user_provided_producer_name,
            access_mode=request.producer_access_mode,
            topic_epoch=epoch,
        )

    def turn_came(self) -> None:
        """From the topic: the producer that waited has it now."""
        self._connection.request(self._enter(), self.refused, "waiting PRODUCER")

    async def _enter(self) -> None:
        assert self._producer is not None
        await self._producer.topic.attached.enter(self._producer)
        self._done()

    def _done(self) -> None:
        """Attached: the client may send, unless it went or closed the producer meanwhile."""
        producer, connection = self._producer, self._connection
        assert producer is not None
        if not self._wanted:
            producer.topic.remove_producer(producer)
            return
        self._forget()
        _let_go(connection.producers.get(producer.producer_id))
        connection.producers[producer.producer_id] = producer
        self._answer(ready=True)

    def _answer(self, *, ready: bool) -> None:
        producer = self._producer
        assert producer is not None
        self._connection.send(
            answers.producer_success(
                self._request.request_id,
                producer.name,
                last_sequence_id=producer.topic.last_sequence_id(producer.name),
                topic_epoch=producer.topic.attached.epoch if ready else None,
                ready=ready,
            )
        )

    def refused(self, error: BrokerError) -> None:
        """The topic does not take the producer, or not any more."""
        if self._wanted:
            self._connection.send_error(self._request.request_id, error)
        self._forget()

    def cancel(self) -> None:
        """The client closed the producer, or went."""
        self._forget()
        if self._producer is not None:
            self._producer.topic.remove_producer(self._producer)

    @property
    def _wanted(self) -> bool:
        connection = self._connection
        return not connection.closed and connection.producing.get(self._request.producer_id) is self

    def _forget(self) -> None:
        if self._connection.producing.get(self._request.producer_id) is self:
            del self._connection.producing[self._request.producer_id]


def _let_go(former: Producer | None) -> None:
    """A client that used its id again, for another topic or under another name, meant this one."""
    if former is not None and not former.closed:
        former.topic.remove_producer(former)
