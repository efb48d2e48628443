"""A consumer of one topic or partition: the shell around `ConsumerCore`."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.ack_sets import bits_of_words
from magnetar_proto.errors import PayloadError
from magnetar_proto.frames import encode_command
from magnetar_proto.payloads import message_count
from magnetar_runtime.scope import TaskScope

from magnetar.ack_receipts import AckReceipts
from magnetar.attachment import Attachment
from magnetar.connection import Connection
from magnetar.consumer_core import ConsumerCore
from magnetar.consumer_options import ConsumerOptions
from magnetar.due_redelivery import DueRedelivery
from magnetar.errors import (
    ConnectError,
    NotConnected,
    OperationNotSupported,
    PulsarException,
    Timeout,
)
from magnetar.extras import MissingExtraError
from magnetar.inbox import Inbox
from magnetar.incoming import Place
from magnetar.lookup import Lookup
from magnetar.message import Message
from magnetar.message_id import UINT64_END, MessageId, fill, from_data
from magnetar.subscribe_command import subscribe_command
from magnetar.topic_name import partition_index

log = logging.getLogger(__name__)

MAX_GROUPED_ACKS: Final = 1000
"""So many acknowledgements go to the broker at once, whatever the time."""


class Letters(Protocol):
    """Where messages go that failed too often."""

    def bury(self, source: "TopicConsumer", messages: Sequence[Message]) -> None:
        """Publish them as dead letters and acknowledge them; beside what comes."""


class TopicConsumer(Attachment):
    """One CONSUMER of one topic.

    Args:
        inbox: where its messages go.
        decode: makes values of messages.
        letters: what takes messages that failed too often.
        failed: told when it has ended by an error.

    Attributes:
        partition: of the topic; -1 if it is none.
        active: it is the one of a failover subscription that gets messages.
        terminated: the topic has ended, and all its messages were sent.
        asked: without a queue: how many messages the broker was asked for and that are not taken.
    """

    def __init__(
        self,
        topic: str,
        consumer_id: int,
        options: ConsumerOptions,
        schema: api.Schema | None,
        decode: Callable[[Message], Any],
        inbox: Inbox,
        letters: Letters | None,
        lookup: Lookup,
        scope: TaskScope,
        operation_timeout_s: float,
        failed: "Callable[[TopicConsumer, PulsarException], None]",
    ) -> None:
        what = f"consumer {options.subscription_name} on {topic}"
        super().__init__(topic, what, lookup, scope)
        self.partition = partition_index(topic)
        self.options = options
        self.decode = decode
        self.core = ConsumerCore(self, consumer_id, options)
        self.active = True
        self.terminated = False
        self.asked = 0
        self._schema = schema
        self._inbox = inbox
        self._letters = letters
        self._timeout_s = operation_timeout_s
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._epoch = 0
        self._seeking = False
        self._unsubscribing = False
        self._paused = False
        self._held_permits = 0
        self._begin = options.start_message_id
        self._ack_timer: asyncio.TimerHandle | None = None
        self._receipts = AckReceipts()
        ack_timeout_s = (options.unacked_messages_timeout_ms or 0) / 1000
        self._due = DueRedelivery(self._loop, ack_timeout_s, self.redeliver)
        policy = options.dead_letter_policy
        self._max_redeliveries = policy.max_redeliver_count if policy is not None else -1

    @property
    def begins_at_end(self) -> bool:
        """Whether it began with what came after it."""
        return self._begin == MessageId.latest

    # What the connection tells.

    def message(self, command: api.CommandMessage, payload: bytes) -> None:
        if self._seeking:
            return  # of before; the consumer is about to be opened again
        if command.consumer_epoch < self._epoch and command.HasField("consumer_epoch"):
            self._flow(self.core.freed(message_count(payload)))
            return
        try:
            messages, unwanted = self.core.entry(command, payload)
        except PayloadError as error:
            self._refuse(command, payload, error)
            return
        except MissingExtraError as error:
            self.fail(OperationNotSupported(f"{self.what}: {error}"))
            return
        if unwanted:
            self._flow(self.core.freed(unwanted))
            self._acks_changed()
        if messages and 0 <= self._max_redeliveries < command.redelivery_count:
            assert self._letters is not None
            self._flow(self.core.freed(len(messages)))
            self._letters.bury(self, messages)
        elif messages:
            self._inbox.put(messages)

    def active_changed(self, active: bool) -> None:
        self.active = active

    def end_of_topic(self) -> None:
        self.terminated = True

    def ack_response(self, command: api.CommandAckResponse) -> None:
        self._receipts.response(command, self.what)

    def _refuse(self, command: api.CommandMessage, payload: bytes, error: PayloadError) -> None:
        """What cannot be read is told to the broker, and acknowledged: it would come for ever."""
        place = command.message_id
        log.error("%s: message %d:%d: %s", self.what, place.ledgerId, place.entryId, error)
        ack = api.CommandAck(
            consumer_id=self.core.consumer_id,
            ack_type=api.CommandAck.Individual,
            message_id=[api.MessageIdData(ledgerId=place.ledgerId, entryId=place.entryId)],
            validation_error=api.CommandAck.BatchDeSerializeError,
        )
        if self.connection is not None:
            self.connection.send(encode_command(ack))
        self._flow(self.core.freed(_cost(command, payload)))

    # Taking.

    def taken(self, message: Message) -> None:
        """A message of this topic is given to the user."""
        if self.options.receiver_queue_size:
            permits = self.core.freed(1)
            if permits:
                self._flow(permits)
        elif self.asked:
            self.asked -= 1
        if self._due.ack_timeout_s:
            self._due.given((message._ledger_id, message._entry_id))
        if not self.options.durable:
            self.core.given(message)

    def ask(self, count: int) -> None:
        """Without a queue: have the broker send so many."""
        self.asked += count
        self._flow(count)

    def pause(self) -> None:
        """Ask for no more messages."""
        self._paused = True

    def resume(self) -> None:
        """Ask for messages again."""
        self._paused = False
        held, self._held_permits = self._held_permits, 0
        self._flow(held)

    def _flow(self, permits: int) -> None:
        if not permits or self.connection is None:
            return
        if self._paused:
            self._held_permits += permits
            return
        command = api.CommandFlow(consumer_id=self.core.consumer_id, messagePermits=permits)
        self.connection.send(encode_command(command))

    # Acknowledging.

    def acknowledge(
        self, place: Place, batch_index: int, batch_size: int, *, cumulative: bool
    ) -> "asyncio.Future[None] | None":
        """One message is done, or all up to it; gives a future for the answer, if any."""
        acks = self.core.acks
        if cumulative:
            acks.acknowledge_up_to(place, batch_index, batch_size)
            self._due.done_up_to(place)
        elif acks.acknowledge(place, batch_index, batch_size):
            self._due.done(place)
        receipt = None
        if self.options.ack_receipt_enabled:
            receipt = self._receipts.wait(self._loop)
        self._acks_changed()
        return receipt

    def _acks_changed(self) -> None:
        acks, options = self.core.acks, self.options
        if acks.count >= MAX_GROUPED_ACKS or not options.ack_group_time_ms:
            self.flush_acks()
        elif self._ack_timer is None:
            delay_s = options.ack_group_time_ms / 1000
            self._ack_timer = self._loop.call_later(delay_s, self.flush_acks)

    def flush_acks(self) -> None:
        """Tell the broker what was acknowledged."""
        if self._ack_timer is not None:
            self._ack_timer.cancel()
            self._ack_timer = None
        connection = self.connection
        if connection is None:
            return  # told when there is one
        commands = self.core.acks.take()
        for command in commands:
            if self.options.ack_receipt_enabled:
                command.request_id = connection.next_request_id()
            connection.send(encode_command(command))
        self._receipts.sent([command.request_id for command in commands])

    # Redelivery.

    def negative_acknowledge(self, place: Place, redelivery_count: int) -> None:
        """Have the broker send an entry again after a while."""
        self._due.refuse(place, self.options.redelivery_delay_ms(redelivery_count) / 1000)

    def redeliver(self, places: Sequence[Place] = ()) -> None:
        """Have the broker send entries again; without any, all that is not acknowledged."""
        connection = self.connection
        if connection is None:
            return  # it will anyway, to the consumer that is opened next
        self.flush_acks()
        command = api.CommandRedeliverUnacknowledgedMessages(consumer_id=self.core.consumer_id)
        if self.options.shared and places:
            for place in places:
                for ledger_id, entry_id in self.core.acks.entry_of(place):
                    command.message_ids.add(
                        ledgerId=ledger_id % UINT64_END, entryId=entry_id % UINT64_END
                    )
            connection.send(encode_command(command))
            return
        # All that is not acknowledged comes again, what waits here included.
        if not self.options.shared:
            self._epoch += 1
            command.consumer_epoch = self._epoch
        dropped = self._inbox.drop(self)
        self.core.detached()
        self._due.clear()
        connection.send(encode_command(command))
        self._flow(self.core.freed(dropped))

    # Attaching.

    async def _attach(self, connection: Connection) -> None:
        consumer_id = self.core.consumer_id
        connection.consumers[consumer_id] = self
        try:
            await connection.request(self._command(), self.what, self._timeout_s)
            if self.begins_at_end and self.core.position is None:
                await self._note_start(connection)
            if connection.consumers.get(consumer_id) is not self:
                raise NotConnected(f"{self.what}: closed by the broker at once")
        except BaseException:
            if connection.consumers.pop(consumer_id, None) is not None:
                self._forget_at(connection)
            raise
        if self.closed:
            self._forget_at(connection)
            self.check_open()
        self._seeking = False
        self._held_permits = 0
        self.core.resume()
        self._set_attached(connection)
        self.flush_acks()
        self._flow(self.core.first_permits or self.asked)

    async def _note_start(self, connection: Connection) -> None:
        """Know where the broker begins: at the end as it was, or at a time.

        A new connection would begin at a later end, or with all that was before the time.
        """
        if self.options.durable or not self.topic.startswith("persistent://"):
            return
        _, done = await self._last_message_id(connection)
        # Behind entry -1 comes the first entry of a ledger: an empty topic has an end too.
        if done is not None and done.ledger_id() >= 0 and self.core.position is None:
            self._begin = done
            self.core.start_from(done, inclusive=False)

    def _command(self) -> api.CommandSubscribe:
        return subscribe_command(
            self.topic,
            self.core.consumer_id,
            self.options,
            self._schema,
            epoch=self._epoch,
            start=self.core.beginning(self._begin),
        )

    def _forget_at(self, connection: Connection) -> None:
        connection.consumers.pop(self.core.consumer_id, None)
        command = api.CommandCloseConsumer(
            consumer_id=self.core.consumer_id, request_id=connection.next_request_id()
        )
        connection.send(encode_command(command))

    def _on_detached(self) -> None:
        # What waits here comes again, and so does what was given and not acknowledged.
        self._inbox.drop(self)
        self.core.detached()
        self._due.clear()
        self._receipts.fail(NotConnected(f"{self.what}: the broker was lost before it answered"))

    # Requests.

    async def seek(self, target: MessageId | int) -> None:
        """Go on behind a message (at it, if the start is inclusive), or at a time (ms)."""
        connection = await self._ready()
        command = api.CommandSeek(consumer_id=self.core.consumer_id)
        if isinstance(target, int):
            command.message_publish_time = target
        else:
            fill(command.message_id, target.first_chunk() or target)
        self._seeking = True
        self._inbox.drop(self)
        self._due.clear()
        self.core.acks.forget()
        try:
            await connection.request(command, f"seek of {self.what}", self._timeout_s)
        except BaseException:
            # What arrived meanwhile was dropped: only a new consumer gets it again.
            if self._seeking:
                self._reopen(connection)
            raise
        start = None if isinstance(target, int) else target
        self._begin = start or MessageId.earliest
        self.core.start_from(start, inclusive=self.options.start_message_id_inclusive)
        await self.attached()
        if start is None:
            await self._note_start(await self._ready())

    def _reopen(self, connection: Connection) -> None:
        if connection.consumers.pop(self.core.consumer_id, None) is not None:
            self._forget_at(connection)
        self.link_lost(connection)

    async def last_message_id(self) -> tuple[MessageId, MessageId | None]:
        """The last message of the topic, and up to where the subscription is done if known."""
        return await self._last_message_id(await self._ready())

    async def _last_message_id(self, connection: Connection) -> tuple[MessageId, MessageId | None]:
        command = api.CommandGetLastMessageId(consumer_id=self.core.consumer_id)
        answer = await connection.request(command, f"last id of {self.topic}", self._timeout_s)
        data = answer.last_message_id
        data.partition = self.partition
        done = None
        if answer.HasField("consumer_mark_delete_position"):
            done = from_data(answer.consumer_mark_delete_position, self.topic)
        return from_data(data, self.topic), done

    async def unsubscribe(self, *, force: bool) -> None:
        """Delete the subscription.

        Without an answer it is not known whether it is there still. This consumer ends then: one
        that attaches again would make anew what was deleted.

        Raises:
            ConnectError, Timeout: there was no answer.
            PulsarException: refused; the consumer goes on.
        """
        connection = await self._ready()
        command = api.CommandUnsubscribe(consumer_id=self.core.consumer_id, force=force)
        self._unsubscribing = True
        try:
            await connection.request(command, f"unsubscribing {self.what}", self._timeout_s)
        except (asyncio.CancelledError, Timeout):
            self.leave()
            raise
        except PulsarException as error:
            if connection.closed:
                self.end()
                raise ConnectError(f"{self.what}: lost while it unsubscribed: {error}") from error
            self._unsubscribing = False
            if self.connection is None:
                self._come_back()
            raise
        connection.consumers.pop(self.core.consumer_id, None)
        self.end()

    def _come_back(self) -> None:
        if not self._unsubscribing:
            super()._come_back()

    async def _ready(self) -> Connection:
        self.check_open()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self.attached()
        except TimeoutError as error:
            raise Timeout(f"{self.what}: not connected in {self._timeout_s:g} s") from error
        assert self.connection is not None
        return self.connection

    # Closing.

    async def close(self) -> None:
        """Have the broker forget it; what was acknowledged is told before."""
        if self.closed:
            return
        self.flush_acks()
        connection = self.connection
        self.end()
        if connection is None:
            return
        connection.consumers.pop(self.core.consumer_id, None)
        command = api.CommandCloseConsumer(consumer_id=self.core.consumer_id)
        with suppress(ConnectError):  # gone is closed
            await connection.request(command, f"closing {self.what}", self._timeout_s)

    def leave(self) -> None:
        if not self.closed:
            self.flush_acks()
        super().leave()

    def _on_ended(self, error: PulsarException) -> None:
        if self.failure is not None:
            self._failed(self, error)
        if self._ack_timer is not None:
            self._ack_timer.cancel()
        self._due.stop()
        self._inbox.drop(self)
        self._receipts.fail(error)


def _cost(command: api.CommandMessage, payload: bytes) -> int:
    """How many permits an entry took that cannot be read: all of its batch, not one."""
    if command.ack_set:
        return bits_of_words(command.ack_set).bit_count()
    try:
        return message_count(payload)
    except PayloadError:
        return 1  # nor could the broker count it
