"""What one web client receives from all topics of its: the queue, acks, and what comes again."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Final

from magnetar_proto import pulsar_api_pb2 as api

from magnetar_broker.errors import BrokerError, SubscriptionNotFoundError
from magnetar_broker.inner_client.dead_letters import DeadLetters
from magnetar_broker.inner_client.opened import Message
from magnetar_broker.inner_client.topic_consumer import ConsumerOptions, TopicConsumer

if TYPE_CHECKING:
    import asyncio

    from magnetar_runtime.scope import TaskScope

    from magnetar_broker.inner_client.inner_client import InnerClient
    from magnetar_broker.topic_name import TopicName

log = logging.getLogger(__name__)

_KEPT_LEDGERS: Final = 10_000
_FIRST_AVERAGE_BYTES: Final = 64 << 10
"""Of messages, until the first one is there: what is asked for too much may not be read for long,
and who reads nothing for long is cut off by the broker."""
_MOST_NACKED: Final = 10_000
"""Negative acks that wait for their time. A client may send any number, of messages that there
are not too: on top of so many, the oldest go back at once."""

MessageKey = tuple[int, int, int, int]
"""Ledger, entry, partition, index in the batch."""


_Due = tuple[int, TopicConsumer, api.MessageIdData]
"""When a message comes again, and whose it is."""


def key_of(place: api.MessageIdData) -> MessageKey:
    """An id that can be a key."""
    return place.ledgerId, place.entryId, place.partition, place.batch_index


@dataclass(frozen=True, slots=True)
class ReceiveOptions:
    """Attributes:
    window: Messages that are asked for ahead of being taken; may be changed later.
    window_bytes: The same in bytes: with large messages fewer are asked for; at twice as many
        nothing is read any more.
    ack_timeout_ms: What is not acked by then comes again; 0 is off.
    nack_delay_ms: So long after a negative ack the message comes again.
    dead_letter_topic: Where a message goes that was delivered once more than
        `max_redeliver_count` and was not acked then; empty is off.
    """

    window: int = 1000
    window_bytes: int = 256 << 10
    ack_timeout_ms: int = 0
    nack_delay_ms: int = 60_000
    max_redeliver_count: int = 0
    dead_letter_topic: str = ""


class Receiver:
    """A `MessageSink`. `wake` is called when there is something new to look at.

    Attributes:
        consumers: One for each topic.
        failure: Why nothing comes any more; None while something may.
        window: See `ReceiveOptions`.
    """

    def __init__(
        self,
        client: InnerClient,
        options: ReceiveOptions,
        scope: TaskScope,
        wake: Callable[[], None],
    ) -> None:
        self.consumers: list[TopicConsumer] = []
        self.failure: BrokerError | None = None
        self.window = options.window
        self._client = client
        self._loop = client.service.loop
        self._clock = client.service.clock
        self._options = options
        self._scope = scope
        self._wake = wake
        self._queue: deque[tuple[TopicConsumer, Message]] = deque()
        self._queued: Counter[TopicConsumer] = Counter()
        self._queued_bytes = 0
        self._average_bytes: float | None = None
        self._holding = False
        self._asking = 0  # commands whose answer is waited for
        self._of_ledger: dict[int, TopicConsumer] = {}
        self._unacked: dict[MessageKey, _Due] = {}
        self._nacked: dict[MessageKey, _Due] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns = 0
        self._closed = False
        self._dead_letters: DeadLetters | None = None
        if options.dead_letter_topic:
            self._dead_letters = DeadLetters(client, options.dead_letter_topic, scope)

    async def open(self, topics: Sequence[TopicName], options: ConsumerOptions) -> None:
        """Subscribe to all of them. Raises BrokerError: one does not take it."""
        for topic in topics:
            consumer = TopicConsumer(self._client, topic, options, self, self._scope)
            self.consumers.append(consumer)
        try:
            for consumer in self.consumers:
                await consumer.open()
        except BaseException:
            self.close()
            raise
        self.ask()

    def close(self) -> None:
        """Leave the subscriptions; what was not acked comes again, to whoever is there."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for consumer in self.consumers:
            consumer.close()
        if self._dead_letters is not None:
            self._dead_letters.close()
        self._queue.clear()

    # From the consumers.

    def arrived(self, consumer: TopicConsumer, messages: list[Message]) -> None:
        first = self._average_bytes is None
        if messages:
            self._remember(messages[0].id.ledgerId, consumer)
        for message in messages:
            self._queue.append((consumer, message))
            self._queued_bytes += message.size_bytes
            self._count_size(message.size_bytes)
        self._queued[consumer] += len(messages)
        if first:
            self.ask()
        self._hold_or_let_go()
        self._wake()

    def _count_size(self, size_bytes: int) -> None:
        if self._average_bytes is None:
            self._average_bytes = float(size_bytes)
        else:
            self._average_bytes += (size_bytes - self._average_bytes) / 16

    def _remember(self, ledger_id: int, consumer: TopicConsumer) -> None:
        if ledger_id in self._of_ledger:
            return
        if len(self._of_ledger) >= _KEPT_LEDGERS:
            del self._of_ledger[next(iter(self._of_ledger))]
        self._of_ledger[ledger_id] = consumer

    def forget_from(self, consumer: TopicConsumer) -> None:
        kept = [row for row in self._queue if row[0] is not consumer]
        self._queue = deque(kept)
        self._queued_bytes = sum(message.size_bytes for _, message in kept)
        self._queued[consumer] = 0
        self._hold_or_let_go()
        self.ask()

    def ended(self, consumer: TopicConsumer) -> None:
        self._wake()

    def lost(self, consumer: TopicConsumer, error: BrokerError) -> None:
        self.failure = error
        self._wake()

    # For the web client.

    @property
    def waiting(self) -> int:
        """Messages that can be taken."""
        return len(self._queue)

    @property
    def end_of_topic(self) -> bool:
        """All topics were terminated, and nothing is left of them."""
        return not self._queue and all(each.end_of_topic for each in self.consumers)

    def take(self) -> Message | None:
        """The next message; None if none is there."""
        if not self._queue:
            return None
        consumer, message = self._queue.popleft()
        self._queued[consumer] -= 1
        self._queued_bytes -= message.size_bytes
        self._hold_or_let_go()
        if self._options.ack_timeout_ms:
            due_ns = self._clock.monotonic_ns() + self._options.ack_timeout_ms * 1_000_000
            key = key_of(message.id)
            self._unacked.pop(key, None)  # one that came before: the order is that of the times
            self._unacked[key] = (due_ns, consumer, message.id)
            self._tick_by(due_ns)
        letters = self._dead_letters
        if letters and message.redelivery_count >= self._options.max_redeliver_count:
            letters.last_chance[key_of(message.id)] = message
        self._ask(consumer)
        return message

    def _hold_or_let_go(self) -> None:
        most_bytes = self._options.window_bytes * (1 if self._holding else 2)
        hold = self._queued_bytes > most_bytes and not self._asking
        if hold == self._holding:
            return
        self._holding = hold
        for connection in self._client.connections:
            if hold:
                connection.hold()
            else:
                connection.release()

    @contextmanager
    def _taking_answers(self) -> Iterator[None]:
        """Scenario: the answer to a seek stands behind messages of a held connection, and the web
        client takes none of them before it is there."""
        self._asking += 1
        self._hold_or_let_go()
        try:
            yield
        finally:
            self._asking -= 1
            self._hold_or_let_go()

    def ask(self) -> None:
        """Ask for what there is room for."""
        for consumer in self.consumers:
            self._ask(consumer)

    def _ask(self, consumer: TopicConsumer) -> None:
        each_bytes = self._average_bytes or _FIRST_AVERAGE_BYTES
        most = min(self.window, max(1, int(self._options.window_bytes / each_bytes)))
        share = -(-most // len(self.consumers))
        # A batch may have cost more than was granted, which is then below zero at the broker too.
        room = share - consumer.granted - self._queued[consumer]
        if self.window and 2 * room >= share:
            consumer.grant(room)

    def consumer_of(self, place: api.MessageIdData) -> TopicConsumer | None:
        """Who got this message; None if that is not known."""
        if len(self.consumers) == 1:
            return self.consumers[0]
        found = self._of_ledger.get(place.ledgerId)
        if found is not None:
            return found
        fits = [each for each in self.consumers if each.topic.partition_index == place.partition]
        return fits[0] if len(fits) == 1 else None

    def ack(self, places: Iterable[api.MessageIdData]) -> int:
        """Messages were consumed; how many of them are of topics of this client."""
        by_consumer: dict[TopicConsumer, list[api.MessageIdData]] = {}
        for place in places:
            self._settle(key_of(place))
            consumer = self.consumer_of(place)
            if consumer is not None:
                by_consumer.setdefault(consumer, []).append(place)
        for consumer, own in by_consumer.items():
            consumer.ack(own)
        return sum(map(len, by_consumer.values()))

    def _settle(self, key: MessageKey) -> None:
        self._unacked.pop(key, None)
        self._nacked.pop(key, None)
        if self._dead_letters is not None:
            self._dead_letters.last_chance.pop(key, None)

    def nack(self, places: Iterable[api.MessageIdData], delay_ms: int | None = None) -> int:
        """Messages are to come again, after the delay; how many are of topics of this client."""
        wait_ms = self._options.nack_delay_ms if delay_ms is None else delay_ms
        due_ns = self._clock.monotonic_ns() + wait_ms * 1_000_000
        count = 0
        for place in places:
            consumer = self.consumer_of(place)
            if consumer is None:
                continue
            count += 1
            self._unacked.pop(key_of(place), None)
            self._nacked[key_of(place)] = (due_ns, consumer, place)
        surplus = max(len(self._nacked) - _MOST_NACKED, 0)
        self._give_back([self._nacked.pop(key) for key in list(islice(self._nacked, surplus))])
        if count:
            self._tick_by(due_ns)
        return count

    def redeliver_all(self) -> None:
        """All that was not acked comes again."""
        self._unacked.clear()
        self._nacked.clear()
        for consumer in self.consumers:
            consumer.redeliver(None)
            self.forget_from(consumer)

    # What comes again by itself.

    def _tick_by(self, due_ns: int) -> None:
        if self._closed or (self._timer is not None and self._due_ns <= due_ns):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due_ns = due_ns
        wait_ns = max(due_ns - self._clock.monotonic_ns(), 0)
        self._timer = self._loop.call_later(wait_ns / 1e9, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now_ns = self._clock.monotonic_ns()
        late = list(takewhile(lambda key: self._unacked[key][0] <= now_ns, self._unacked))
        rows = [self._unacked.pop(key) for key in late]
        late = [key for key, row in self._nacked.items() if row[0] <= now_ns]
        self._give_back(rows + [self._nacked.pop(key) for key in late])
        due = [due_ns for due_ns, _, _ in self._nacked.values()]
        due += [next(iter(self._unacked.values()))[0]] if self._unacked else []
        if due:
            self._tick_by(min(due))

    def _give_back(self, rows: Iterable[_Due]) -> None:
        by_consumer: dict[TopicConsumer, list[api.MessageIdData]] = {}
        for _, consumer, place in rows:
            by_consumer.setdefault(consumer, []).append(place)
        for consumer, places in by_consumer.items():
            self._redeliver(consumer, places)

    def _redeliver(self, consumer: TopicConsumer, places: list[api.MessageIdData]) -> None:
        letters = self._dead_letters
        again = []
        for place in places:
            message = letters.last_chance.pop(key_of(place), None) if letters else None
            if letters is None or message is None:
                again.append(place)
            else:
                letters.send(message, partial(consumer.ack, [place]))
        if again:
            consumer.redeliver(again)

    # Commands.

    async def unsubscribe(self) -> None:
        """End the subscriptions. Raises BrokerError."""
        if not self.consumers:
            raise SubscriptionNotFoundError("There is no subscription")
        with self._taking_answers():
            for consumer in self.consumers:
                await consumer.unsubscribe()

    async def seek(self, command: Callable[[TopicConsumer], api.CommandSeek | None]) -> None:
        """Move the subscriptions, but for those that get no command. Raises BrokerError."""
        with self._taking_answers():
            for consumer in self.consumers:
                asked = command(consumer)
                if asked is not None:
                    await consumer.seek(asked)
        self._unacked.clear()
        self._nacked.clear()
