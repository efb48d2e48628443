"""A consumer of one topic: it stays subscribed, and asks for as much as there is room for."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.ack_sets import words_of_bits
from magnetar_proto.errors import PayloadError
from magnetar_proto.frames import encode_command, message_count

from magnetar_broker.errors import BrokerError, ServiceNotReadyError
from magnetar_broker.inner_client.attaching import Attached
from magnetar_broker.inner_client.inner_client import REQUEST_TIMEOUT_S
from magnetar_broker.inner_client.opened import Message, messages_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from magnetar_runtime.scope import TaskScope

    from magnetar_broker.inner_client.client_connection import ClientConnection
    from magnetar_broker.inner_client.inner_client import InnerClient
    from magnetar_broker.topic_name import TopicName

log = logging.getLogger(__name__)

_MOST_PARTIAL: Final = 50_000
"""Batches of which some messages are not acked; of older ones the broker alone knows it."""
_MOST_GUESSED: Final = 1 << 20
"""Messages in all of batches that were not delivered here, in one call: what a client says of them
costs bit sets of that size."""
UNREADABLE_BYTES: Final = 64 << 20
"""A body is never made larger than this."""


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """Attributes:
    type: As the protocol numbers it.
    start: Of a subscription that is not durable, the place behind which it begins.
    """

    subscription: str
    type: api.CommandSubscribe.SubType = api.CommandSubscribe.Exclusive
    name: str = ""
    durable: bool = True
    earliest: bool = False
    priority_level: int = 0
    start: api.MessageIdData | None = None
    read_compacted: bool = False

    @property
    def ordered(self) -> bool:
        """Whether messages are given back all together."""
        return self.type in (api.CommandSubscribe.Exclusive, api.CommandSubscribe.Failover)


class MessageSink(Protocol):
    """Takes what consumers get."""

    def arrived(self, consumer: TopicConsumer, messages: list[Message]) -> None: ...

    def forget_from(self, consumer: TopicConsumer) -> None:
        """What came from this consumer and was not handed on will come again."""

    def ended(self, consumer: TopicConsumer) -> None:
        """The topic was terminated and has no more for this subscription."""

    def lost(self, consumer: TopicConsumer, error: BrokerError) -> None:
        """The consumer is gone for good."""


class TopicConsumer(Attached):
    """Attributes:
    granted: Messages that the broker may still send.
    end_of_topic: The topic was terminated and all of it was received.
    """

    def __init__(
        self,
        client: InnerClient,
        topic: TopicName,
        options: ConsumerOptions,
        sink: MessageSink,
        scope: TaskScope,
    ) -> None:
        super().__init__(client, topic, scope, f"{options.subscription} of {topic}")
        self.granted = 0
        self.end_of_topic = False
        self._options = options
        self._sink = sink
        self._start = options.start  # where a subscription that is not durable goes on
        self._behind = options.start  # of this subscribe: brokers send the entry itself too
        self._partial: dict[tuple[int, int], tuple[int, int]] = {}  # of batches: size, bits left

    # Life.

    def _links(self, connection: ClientConnection) -> dict[int, Any]:
        return connection.consumers

    def _command(self) -> api.CommandSubscribe:
        options = self._options
        command = api.CommandSubscribe(
            topic=str(self.topic),
            subscription=options.subscription,
            subType=options.type,
            consumer_id=self._id,
            request_id=0,
            consumer_name=options.name,
            durable=options.durable,
            priority_level=options.priority_level,
            read_compacted=options.read_compacted,
            initialPosition=(
                api.CommandSubscribe.Earliest if options.earliest else api.CommandSubscribe.Latest
            ),
        )
        self._behind = self._start
        if self._start is not None:
            command.start_message_id.ledgerId = self._start.ledgerId
            command.start_message_id.entryId = self._start.entryId
        return command

    def _on_attached(self, answer: object) -> None:
        if self._opened:
            self._sink.forget_from(self)  # it has room again

    def _on_detached(self) -> None:
        # What was not handed on comes again.
        self.granted = 0
        self._partial.clear()
        self._sink.forget_from(self)

    def _on_refused(self, refusal: BrokerError) -> None:
        self._sink.lost(self, refusal)

    def _tell_closed(self, connection: ClientConnection) -> None:
        if not connection.closed:
            command = api.CommandCloseConsumer(consumer_id=self._id, request_id=0)
            connection.send(encode_command(command))

    # What comes.

    def entry(self, message: api.CommandMessage, payload: bytes) -> None:
        """From the connection."""
        place = message.message_id
        try:
            self.granted -= message_count(payload)
            messages = messages_of(message, payload, str(self.topic), most_bytes=UNREADABLE_BYTES)
        except PayloadError as error:
            log.warning("an entry of %s is passed over: %s", self.topic, error)
            self._refuse(place)
            return
        if self._behind is not None:
            messages = [each for each in messages if self._is_behind_start(each.id)]
            if not messages:  # else its subscription would never be at the end of the topic
                self.ack([api.MessageIdData(ledgerId=place.ledgerId, entryId=place.entryId)])
        if messages and messages[0].id.batch_size:
            bits = sum(1 << each.id.batch_index for each in messages)
            size = messages[0].id.batch_size
            self._partial[place.ledgerId, place.entryId] = (size, bits)
            if len(self._partial) > _MOST_PARTIAL:
                del self._partial[next(iter(self._partial))]
        self._sink.arrived(self, messages)

    def _is_behind_start(self, place: api.MessageIdData) -> bool:
        start = self._behind
        assert start is not None
        if (place.ledgerId, place.entryId) != (start.ledgerId, start.entryId):
            return True
        return start.batch_index >= 0 and place.batch_index > start.batch_index

    def _refuse(self, place: api.MessageIdData) -> None:
        """Damaged: acked with the reason, as Pulsar's clients do; else it would come again."""
        if self._connection is None:
            return
        command = api.CommandAck(
            consumer_id=self._id,
            ack_type=api.CommandAck.Individual,
            message_id=[api.MessageIdData(ledgerId=place.ledgerId, entryId=place.entryId)],
            validation_error=api.CommandAck.ChecksumMismatch,
        )
        self._connection.send(encode_command(command))

    def end_of_topic_reached(self) -> None:
        self.end_of_topic = True
        self._sink.ended(self)

    # What is told to the broker.

    @property
    def connection(self) -> ClientConnection | None:
        """Where it is subscribed; None while it is not."""
        return self._connection

    def grant(self, messages: int) -> None:
        """There is room for so many more messages."""
        if self._connection is None or messages <= 0:
            return
        self.granted += messages
        command = api.CommandFlow(consumer_id=self._id, messagePermits=messages)
        self._connection.send(encode_command(command))

    def ack(self, places: Iterable[api.MessageIdData]) -> None:
        """These were consumed."""
        places = list(places)
        if places and not self._options.durable:
            self._start = places[-1]
        guessed, acked = 0, list[api.MessageIdData]()
        for place in places:
            if place.batch_index >= 0 and (place.ledgerId, place.entryId) not in self._partial:
                guessed += max(place.batch_size, 0)
                if guessed > _MOST_GUESSED:
                    continue
            if (each := self._acked(place)) is not None:
                acked.append(each)
        if self._connection is None or not acked:
            return
        command = api.CommandAck(
            consumer_id=self._id,
            ack_type=api.CommandAck.Individual,
            message_id=acked,
        )
        self._connection.send(encode_command(command))

    def _acked(self, place: api.MessageIdData) -> api.MessageIdData | None:
        """What is told to the broker; None if too little is known of the batch."""
        found = api.MessageIdData(ledgerId=place.ledgerId, entryId=place.entryId)
        if place.batch_index < 0:
            return found
        key = (place.ledgerId, place.entryId)
        told = max(place.batch_size, 0)
        size, left = self._partial.get(key) or (told, (1 << told) - 1)
        if place.batch_index >= size:
            return None
        left &= ~(1 << place.batch_index)
        if not left:
            self._partial.pop(key, None)
            return found
        if key in self._partial:
            self._partial[key] = (size, left)
        found.batch_size = size
        found.ack_set.extend(words_of_bits(left))
        return found

    def redeliver(self, places: Iterable[api.MessageIdData] | None) -> None:
        """Give entries back; all that is not acked if None, or where order counts."""
        if self._connection is None:
            return
        command = api.CommandRedeliverUnacknowledgedMessages(consumer_id=self._id)
        if places is not None and not self._options.ordered:
            for place in places:
                command.message_ids.add(ledgerId=place.ledgerId, entryId=place.entryId)
        else:
            self._sink.forget_from(self)
        self._connection.send(encode_command(command))

    async def unsubscribe(self) -> None:
        """End the subscription. Raises BrokerError."""
        await self._ask(api.CommandUnsubscribe(consumer_id=0, request_id=0))

    async def seek(self, command: api.CommandSeek) -> None:
        """Move the subscription; it is subscribed again afterwards. Raises BrokerError."""
        await self._ask(command)

    async def _ask(self, command: api.CommandUnsubscribe | api.CommandSeek) -> None:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                connection = await self.attachment()
                command.consumer_id = self._id
                await connection.request(command, REQUEST_TIMEOUT_S)
        except TimeoutError as error:
            kind = type(command).__name__
            raise ServiceNotReadyError(
                f"{kind} to {self.topic} was not answered in {REQUEST_TIMEOUT_S} s; retry"
            ) from error
