"""A subscription of a topic: its consumers, its cursor, and the rules between them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from magnetar_ledger.errors import LedgerError
from magnetar_ledger.position import Position
from magnetar_metadata.store import MetadataError
from magnetar_proto.ack_sets import MOST_WORDS

from magnetar_broker import admission
from magnetar_broker.consumer import Consumer, ConsumerOptions
from magnetar_broker.consumer_link import ConsumeContext
from magnetar_broker.dispatch.dispatcher import Dispatcher
from magnetar_broker.dispatch.dispatchers import new_dispatcher
from magnetar_broker.dispatch.entry_charges import bits_set
from magnetar_broker.dispatch.non_persistent import (
    NonPersistentDispatcher,
)
from magnetar_broker.dispatch.shared_dispatcher import SharedDispatcher
from magnetar_broker.errors import (
    AckSetTooLongError,
    ConsumerBusyError,
    MetadataFailedError,
    ServiceNotReadyError,
)
from magnetar_broker.subscription_type import KeySharing, SubscriptionType
from magnetar_broker.topic_name import TopicName
from magnetar_broker.volatile import VolatileCursor, VolatileLedger

if TYPE_CHECKING:
    from magnetar_ledger.managed import Cursor, ManagedLedger

log = logging.getLogger(__name__)


class SubscribedTopic(Protocol):
    """What a subscription needs of its topic: `Topic` has it."""

    name: TopicName
    ledger: ManagedLedger | VolatileLedger
    subscriptions: dict[str, Subscription]
    closing: bool
    used_ns: int


class Subscription:
    """Consumers in front of one cursor.

    The topic makes one for each durable cursor that it finds when it is loaded, and
    `subscribe.open_subscription` makes the others.

    Attributes:
        type: Of the consumers that are attached, or were last.
        sharing: How those share keys, if they are Key_Shared.
        dispatcher: Of that type; None before the first consumer.
        messages_out, bytes_out: Sent by consumers that have left; see `sent`.
        messages_expired: Entries that were passed over because they were too old or too many.
        used_ns: When (on the monotonic clock) it was loaded, or a consumer left it last.
    """

    def __init__(
        self,
        topic: SubscribedTopic,
        name: str,
        cursor: Cursor | VolatileCursor,
        context: ConsumeContext,
    ) -> None:
        self.topic = topic
        self.name = name
        self.cursor = cursor
        cursor.active = False
        self.context = context
        self.type = SubscriptionType.EXCLUSIVE
        self.sharing = KeySharing()
        self.messages_out = 0
        self.bytes_out = 0
        self.messages_expired = 0
        self.dispatcher: Dispatcher | None = None
        self.used_ns = context.clock.monotonic_ns()
        self._moving: asyncio.Future[None] | None = None
        self._closed = False

    @property
    def consumers(self) -> Sequence[Consumer]:
        """All that are attached."""
        return self.dispatcher.consumers if self.dispatcher is not None else ()

    @property
    def durable(self) -> bool:
        """Whether it outlives its consumers."""
        return self.cursor.durable

    @property
    def sent(self) -> tuple[int, int]:
        """Messages and bytes that were sent since the topic was loaded."""
        consumers = self.consumers
        return (
            self.messages_out + sum(consumer.messages_out for consumer in consumers),
            self.bytes_out + sum(consumer.bytes_out for consumer in consumers),
        )

    @property
    def blocked(self) -> bool:
        """Whether its consumers hold as many unacked messages as they may together."""
        most = self.context.limits.max_unacked_messages_per_subscription
        return sum(each.unacked for each in self.consumers) >= most > 0

    @property
    def delayed(self) -> tuple[int, int]:
        """How many entries wait for their time, and what the index of them takes in memory."""
        dispatcher = self.dispatcher
        return dispatcher.delayed if isinstance(dispatcher, SharedDispatcher) else (0, 0)

    @property
    def counters(self) -> tuple[int, int]:
        """What rates are taken of, beside those of the consumers."""
        return self.messages_dropped, self.messages_expired

    @property
    def messages_dropped(self) -> int:
        """Messages of a non-persistent topic that no consumer had room for."""
        dispatcher = self.dispatcher
        return dispatcher.messages_dropped if isinstance(dispatcher, NonPersistentDispatcher) else 0

    # Consumers.

    async def attach(
        self,
        consumer: Consumer,
        *,
        still_wanted: Callable[[], bool],
        accepted: Callable[[], None],
    ) -> None:
        """Let a consumer in.

        Args:
            still_wanted: False if the client closed the consumer or its connection meanwhile.
            accepted: Called in the same step. Before that at most who is active is sent to the
                consumer (Pulsar's order).

        Raises:
            ConsumerBusyError: The subscription has consumers that do not go with this one.
            ConsumerAssignFailedError: One of them has hashes that this one names as its own.
            ServiceNotReadyError: The topic or the client's connection is going.
        """
        while (rival := self._rival_of(consumer)) is not None or self._moving is not None:
            if self._moving is not None:
                await asyncio.shield(self._moving)
            elif rival is not None:
                await admission.contest(self, rival, consumer)
                if rival in self.consumers:
                    rival.forget()
                    self.detach(rival)
        if self._closed or self.topic.closing or not still_wanted():
            self.vanish_if_unused()
            raise ServiceNotReadyError(f"Subscription {self.name} is closing; retry later")
        try:
            admission.check_room(self)
        except ConsumerBusyError:
            self.vanish_if_unused()
            raise
        dispatcher = self._dispatcher_for(consumer.options)
        consumer.subscription = self
        consumer.partition = self.topic.name.partition_index
        dispatcher.add(consumer)
        accepted()

    def _rival_of(self, newcomer: Consumer) -> Consumer | None:
        if self.dispatcher is None or not self.consumers:
            return None
        return admission.rival_of(self, self.dispatcher, newcomer)

    def _dispatcher_for(self, options: ConsumerOptions) -> Dispatcher:
        same = (options.type, options.sharing) == (self.type, self.sharing)
        if self.dispatcher is None or not same:
            if self.dispatcher is not None:
                self.dispatcher.close()
            self.type, self.sharing = options.type, options.sharing
            self.dispatcher = new_dispatcher(
                self.topic.name,
                self.topic.ledger,
                self.cursor,
                self.context,
                self.type,
                self.sharing,
            )
        return self.dispatcher

    def detach(self, consumer: Consumer) -> None:
        """A consumer left or its connection was lost."""
        if self.dispatcher is None or consumer not in self.dispatcher.consumers:
            return
        self.dispatcher.remove(consumer)
        self.messages_out += consumer.messages_out
        self.bytes_out += consumer.bytes_out
        self.used_ns = self.context.clock.monotonic_ns()
        self.vanish_if_unused()

    def vanish_if_unused(self) -> None:
        """A non-durable subscription ends with its last consumer."""
        if self.durable or self.consumers or self._closed or self._moving is not None:
            return
        self._stop()
        self._leave_topic()
        # The name is free for a new subscription only when its cursor is gone.
        key = (str(self.topic.name), self.name)
        gone = self.context.changing[key] = asyncio.get_running_loop().create_future()
        self.context.scope.spawn(self._drop_cursor(key, gone), name=f"drop cursor {self.name}")

    async def _drop_cursor(self, key: tuple[str, str], gone: asyncio.Future[None]) -> None:
        try:
            await self.topic.ledger.delete_cursor(self.name)
        except LedgerError as error:
            log.warning("cursor %s of %s stays: %s", self.name, self.topic.name, error)
        finally:
            del self.context.changing[key]
            gone.set_result(None)

    # Commands.

    def entries_available(self) -> None:
        """Entries were appended, or a connection takes data again: send what can be sent."""
        if self.dispatcher is not None:
            self.dispatcher.dispatch()

    def flow(self, consumer: Consumer, permits: int) -> None:
        """The client has room for so many more messages."""
        if self.dispatcher is not None:
            self.dispatcher.flow(consumer, permits)
            self.tell_end_of_topic()

    def ack_individual(
        self, consumer: Consumer, position: Position, ack_set: Sequence[int], batch_size: int
    ) -> None:
        """One entry was acked, or those of its messages whose bit is not set in `ack_set`.

        `acks_done` follows after the last ack of a command.

        Raises:
            AckSetTooLongError: No batch has so many messages; nothing is acked.
        """
        if position > self.topic.ledger.last_position:
            return
        if ack_set:
            check_ack_set(ack_set)
            if not any(ack_set):
                ack_set = ()
            elif not self.context.limits.batch_index_ack_enabled:
                return
            else:
                batch_size = self._batch_size(consumer, position, batch_size)
        remaining = 0
        if not self.cursor.ack_individual(position, ack_set or None, batch_size):
            left = self.cursor.ack_set_of(position)
            if left is None:
                return  # it was not taken: the entry stays with its consumer
            remaining = bits_set(left)
        if remaining == 0:
            consumer.acked_entries += 1
        if self.dispatcher is not None:
            self.dispatcher.acked(consumer, position, remaining)

    def _batch_size(self, consumer: Consumer, position: Position, given: int) -> int:
        """How many messages an entry has at most, of which the client may say what it likes."""
        if not isinstance(self.dispatcher, SharedDispatcher):
            return given
        held = self.dispatcher.core.held_of(consumer, position)
        if not held or self.cursor.ack_set_of(position) is not None:
            return given  # an ack set from before bounds this one
        return min(given, held) if given > 0 else held

    def ack_cumulative(self, position: Position, ack_set: Sequence[int]) -> None:
        """All up to this entry was acked; of the entry itself what `ack_set` leaves unset.

        Shared and Key_Shared have no order, so there it means nothing and is passed over.

        Raises:
            AckSetTooLongError: No batch has so many messages; nothing is acked.
        """
        ledger = self.topic.ledger
        unordered = self.type in (SubscriptionType.SHARED, SubscriptionType.KEY_SHARED)
        if unordered or position > ledger.last_position:
            return
        check_ack_set(ack_set)
        if not any(ack_set):
            ack_set = ()
        elif not self.context.limits.batch_index_ack_enabled:
            position, ack_set = ledger.previous_position(position), ()
        self.cursor.ack_cumulative(position, ack_set or None)
        if self.dispatcher is not None:
            for consumer in self.consumers[:1]:
                self.dispatcher.acked(consumer, position, 0)

    def acks_done(self) -> None:
        """The acks of one command are all in."""
        if self.dispatcher is not None:
            self.dispatcher.acks_done()
        self.tell_end_of_topic()

    def clear_backlog(self) -> None:
        """All that was published is acked. Consumers keep what they hold, and go on behind it."""
        self.ack_through(self.topic.ledger.last_position)

    def expire_through(self, position: Position) -> int:
        """All up to this entry counts as acked, as it is too old; returns how many were not."""
        before = self.cursor.backlog_entries
        self.ack_through(position)
        expired = before - self.cursor.backlog_entries
        self.messages_expired += expired
        return expired

    def ack_through(self, position: Position) -> None:
        """All up to this entry is acked. Consumers keep what they hold, and go on behind it."""
        self.cursor.ack_cumulative(position)
        if self.dispatcher is not None:
            for consumer in self.consumers[:1]:
                self.dispatcher.acked(consumer, position, 0)
            self.dispatcher.dispatch()
        self.tell_end_of_topic()

    def limits_changed(self) -> None:
        """Its topic has other policies now."""
        if isinstance(self.dispatcher, SharedDispatcher):
            self.dispatcher.limits_changed()

    def redeliver(
        self, consumer: Consumer, positions: Iterable[Position] | None, epoch: int | None = None
    ) -> None:
        """The client gives entries back; all of them if `positions` is None.

        Args:
            epoch: Stamped from now on by clients that use epochs.
        """
        if epoch is not None and consumer.epoch is not None:
            consumer.epoch = max(consumer.epoch, epoch)
        if self.dispatcher is not None:
            self.dispatcher.redeliver(consumer, positions)

    async def unsubscribe(self, consumer: Consumer, *, force: bool) -> None:
        """End the subscription for good.

        Raises:
            MetadataFailedError: Other consumers are attached, or the caller is not the active one.
            LedgerError, MetadataError: The cursor could not be deleted.
        """
        dispatcher = self.dispatcher
        alone = dispatcher is not None and dispatcher.may_unsubscribe(consumer)
        if self._moving is not None or not (alone or force):
            raise MetadataFailedError("Unconnected or shared consumer attempting to unsubscribe")
        consumer.forget()
        self.detach(consumer)
        try:
            await self.delete()
        except (LedgerError, MetadataError):
            consumer.close()  # it is detached, so its client has to subscribe again
            raise

    async def delete(self) -> None:
        """Send all consumers away and delete the cursor.

        Raises:
            LedgerError, MetadataError: The cursor could not be deleted; the subscription stays.
        """
        if self._closed:  # a non-durable one went with its last consumer
            return
        moving = self.begin_move()
        try:
            await self.topic.ledger.delete_cursor(self.name)
            self._stop()
            self._leave_topic()
        finally:
            self.end_move(moving)

    # Life.

    def begin_move(self) -> asyncio.Future[None]:
        """Send all consumers away and let none in until `end_move`: the cursor is being moved.

        Raises:
            MetadataFailedError: It is being moved already.
        """
        if self._moving is not None:
            raise MetadataFailedError(f"Subscription {self.name} is being reset already")
        self._moving = asyncio.get_running_loop().create_future()
        self._send_away()
        return self._moving

    def end_move(self, moving: asyncio.Future[None]) -> None:
        """The cursor is where it should be; who comes now reads from there."""
        assert self._moving is moving
        self._moving = None
        moving.set_result(None)

    def _send_away(self) -> None:
        for consumer in list(self.consumers):
            consumer.close()
            self.detach(consumer)

    def _stop(self) -> None:
        self._closed = True
        if self.dispatcher is not None:
            self.dispatcher.close()

    def _leave_topic(self) -> None:
        if self.topic.subscriptions.get(self.name) is self:
            del self.topic.subscriptions[self.name]
        self.topic.used_ns = self.context.clock.monotonic_ns()

    async def finish(self) -> None:
        """The topic is about to close: store what another owner would have to find again."""
        if isinstance(self.dispatcher, SharedDispatcher):
            await self.dispatcher.finish()

    async def close(self) -> None:
        """The topic is unloaded: send consumers away. The ledger writes the cursor down."""
        await self.finish()
        self._stop()
        self._send_away()
        self._leave_topic()

    def lose(self) -> None:
        """Send consumers away at once, and take no ack of them any more: another broker has the
        topic, or a bug was met in it."""
        self._stop()
        self._send_away()
        self._leave_topic()

    def tell_end_of_topic(self) -> None:
        """If the topic was terminated and nothing is left, consumers hear of it (once each)."""
        if self.topic.ledger.terminated and self.cursor.backlog_entries == 0:
            for consumer in self.consumers:
                consumer.send_end_of_topic()


def check_ack_set(ack_set: Sequence[int]) -> None:
    """Raise AckSetTooLongError for a set of more words than any batch has."""
    if len(ack_set) > MOST_WORDS:
        raise AckSetTooLongError(
            f"An ack set of {len(ack_set)} words is longer than any batch; the client that wrote "
            f"it is at fault, {MOST_WORDS} words are taken at most"
        )
