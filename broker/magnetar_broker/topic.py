"""A topic: its ledger, its producers and subscriptions, and the way of a publish."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from magnetar_ledger.errors import LedgerError, ManagedLedgerFencedError
from magnetar_proto.frames import check_payload
from magnetar_proto.replies import send_receipts

from magnetar_broker.errors import (
    ChecksumFailedError,
    ServiceNotReadyError,
    TopicTerminatedError,
    as_broker_error,
)
from magnetar_broker.topic_producers import TopicProducers, Waiter
from magnetar_broker.volatile import VolatileLedger

if TYPE_CHECKING:
    from magnetar_ledger.managed.managed_ledger import ManagedLedger
    from magnetar_ledger.position import Position

    from magnetar_broker.connection import Connection
    from magnetar_broker.producer import Producer
    from magnetar_broker.service import BrokerService
    from magnetar_broker.subscription import Subscription
    from magnetar_broker.topic_name import TopicName

    TopicLedger = ManagedLedger | VolatileLedger

log = logging.getLogger(__name__)

NO_SEQUENCE_ID: Final = 2**64 - 1
"""-1 as the protocol writes it: the highest sequence id of a message that is no batch."""

_ACTION: Final = -1
"""The size of a pending row that is no message: a thing to do when its turn has come."""

PendingRow = tuple["Producer", int, int, int, int]
"""Producer, sequence id, highest sequence id, size in bytes (or `_ACTION`), messages."""


class Topic:
    """One topic, owned by this broker. The sink of its ledger's appends.

    Attributes:
        attached: Who publishes here, or waits to.
        subscriptions: By name.
        entries_in, messages_in, bytes_in: Published since the topic was loaded.
        closing: The topic is being closed or deleted; nobody may attach any more.
        used_ns: When (on the monotonic clock) it was loaded, or somebody left it last.
    """

    def __init__(self, name: TopicName, ledger: TopicLedger, service: BrokerService) -> None:
        self.name = name
        self.ledger = ledger
        self.service = service
        self.partition_index = name.partition_index
        self.attached = TopicProducers(self, ledger.properties, ledger.set_property)
        self.subscriptions: dict[str, Subscription] = {}
        self.entries_in = 0
        self.messages_in = 0
        self.bytes_in = 0
        self.closing = False
        self.used_ns = service.clock.monotonic_ns()
        self._fenced = False
        self._lost = False
        self._pending: deque[PendingRow] = deque()
        self._published: list[bytes] = []  # the youngest of them: not yet with the ledger
        self._actions: deque[Callable[[], None]] = deque()
        self._held: dict[Connection, None] = {}
        ledger.sink = self

    # Publishing.

    def publish(
        self,
        producer: Producer,
        sequence_id: int,
        highest_sequence_id: int,
        num_messages: int,
        payload: bytes,
    ) -> None:
        """Append one entry; its receipt follows when it is durable, in the order of the sends.

        The ledger gets all that a chunk of a connection brings at once, by `append_published`.

        Args:
            highest_sequence_id: of a batch; else `NO_SEQUENCE_ID`.
            payload: all behind the command, kept as the same object.
        """
        if not check_payload(payload):
            producer.connection.publishes_ended(1, len(payload))
            self._refuse_checksum(producer, sequence_id, highest_sequence_id)
            return
        row = (producer, sequence_id, highest_sequence_id, len(payload), num_messages)
        self._pending.append(row)
        self._published.append(payload)
        connection = producer.connection
        if connection.published_to is not self:
            connection.published(self)

    def append_published(self) -> None:
        """Hand on what was published since the last call; the connection's chunk has ended."""
        payloads, self._published = self._published, []
        if payloads:
            self.ledger.add_all(payloads)

    def entries_appended(self, ledger_id: int, first_entry_id: int, count: int) -> None:
        """The oldest `count` appends are durable: receipts out, consumers told."""
        if self._actions:
            self._receipts_among_actions(ledger_id, first_entry_id, count)
        else:
            self._receipts(ledger_id, first_entry_id, count)
        if self._fenced:
            self._unfence()
        for subscription in self.subscriptions.values():
            subscription.entries_available()

    def _receipts(self, ledger_id: int, first_entry_id: int, count: int) -> None:
        popleft = self._pending.popleft
        rows = [popleft() for _ in range(count)]
        producer = rows[0][0]
        producers, *run, messages = zip(*rows, strict=True)
        self.entries_in += count
        if producers.count(producer) == count:
            self._stored(producer, sum(messages), sum(run[-1]))
            _send_receipts(producer, ledger_id, first_entry_id, *run)
            return
        for producer, group in groupby(rows, itemgetter(0)):
            _, *run, messages = zip(*group, strict=True)
            self._stored(producer, sum(messages), sum(run[-1]))
            _send_receipts(producer, ledger_id, first_entry_id, *run)
            first_entry_id += len(messages)

    def _stored(self, producer: Producer, messages: int, size_bytes: int) -> None:
        """Count a run of messages of one producer."""
        self.messages_in += messages
        self.bytes_in += size_bytes
        producer.messages_in += messages
        producer.bytes_in += size_bytes

    def _receipts_among_actions(self, ledger_id: int, first_entry_id: int, count: int) -> None:
        for entry_id in range(first_entry_id, first_entry_id + count):
            assert self._pending[0][3] != _ACTION
            self._receipts(ledger_id, entry_id, 1)
            self._do_actions()

    def append_failed(self, count: int, error: LedgerError) -> None:
        """The oldest `count` appends are not, or not certainly, stored."""
        self._fence(error)
        refusal = as_broker_error(error)
        for _ in range(count):
            producer, sequence_id, highest_sequence_id, size, _ = self._pending.popleft()
            assert size != _ACTION
            producer.connection.publishes_ended(1, size)
            producer.send_error(_reported(sequence_id, highest_sequence_id), refusal)
            self._do_actions()
        self._unfence()

    def _refuse_checksum(
        self, producer: Producer, sequence_id: int, highest_sequence_id: int
    ) -> None:
        """Clients match errors with the oldest message that waits: this one waits its turn."""
        reported = _reported(sequence_id, highest_sequence_id)
        error = ChecksumFailedError(
            f"The checksum of message {sequence_id} of producer {producer.name} is wrong; "
            "send it again"
        )
        self.in_order(lambda: producer.send_error(reported, error), producer)

    def in_order(self, action: Callable[[], None], producer: Producer) -> None:
        """Do this when all that was published so far has its receipt or error."""
        if not self._pending:
            action()
            return
        self._pending.append((producer, 0, 0, _ACTION, 0))
        self._actions.append(action)

    def _do_actions(self) -> None:
        pending = self._pending
        while pending and pending[0][3] == _ACTION:
            pending.popleft()
            self._actions.popleft()()

    # Holding back.

    def hold_if_full(self, connection: Connection) -> None:
        """Have a connection that published here wait while the ledger has enough to do."""
        if self.ledger.writable or connection in self._held:
            return
        if not self._held:
            self.ledger.when_writable(self._release)
        self._held[connection] = None
        connection.hold(self)

    def _release(self) -> None:
        held, self._held = self._held, {}
        for connection in held:
            connection.release(self)

    # Failure.

    def _fence(self, error: LedgerError) -> None:
        """Take nothing more until all that is under way has ended; producers come again.

        A producer whose message failed sends it and all later ones again. Were later ones of its
        still taken meanwhile, they would overtake it.
        """
        if not self._fenced:
            self._fenced = True
            log.warning("topic %s takes no messages for now: %s", self.name, error)
            self.attached.close_all()
        if isinstance(error, ManagedLedgerFencedError) and not self._lost:
            self._lost = True
            self.service.topics.forget(self)

    def _unfence(self) -> None:
        if not self._pending and not self._lost:
            self._fenced = False

    # Producers.

    @property
    def producers(self) -> Mapping[str, Producer]:
        """Those that are attached, by name."""
        return self.attached.by_name

    @property
    def attachable(self) -> bool:
        """Whether newcomers are taken."""
        return not (self.closing or self._fenced or self.ledger.terminated)

    def check_attachable(self) -> None:
        """Raise what keeps a newcomer from this topic as it is."""
        if self.closing or self._fenced:
            raise ServiceNotReadyError(
                f"Topic {self.name} is being closed or recovers; look it up again and retry"
            )
        if self.ledger.terminated:
            raise TopicTerminatedError(f"Topic {self.name} was terminated")

    async def add_producer(self, producer: Producer, waiter: Waiter) -> bool:
        """Attach a producer; False if it has to wait. Raises as `TopicProducers.attach` does."""
        return await self.attached.attach(producer, waiter)

    def remove_producer(self, producer: Producer) -> None:
        """Detach; what it published before still ends with a receipt or an error."""
        self.attached.remove(producer)
        self.used_ns = self.service.clock.monotonic_ns()

    # Figures.

    @property
    def counters(self) -> tuple[int, int]:
        """What rates are taken of."""
        return self.messages_in, self.bytes_in

    @property
    def pending_entries(self) -> int:
        """Entries that are on their way to the ledger."""
        return len(self._pending) - len(self._actions)

    # Life.

    @property
    def connected(self) -> int:
        """Producers and consumers."""
        consumers = sum(len(each.consumers) for each in self.subscriptions.values())
        return len(self.producers) + consumers

    @property
    def inactive(self) -> bool:
        """Nobody is attached, nothing keeps messages, and that for long."""
        if self.producers or self.subscriptions or self._pending:
            return False
        unused_ns = self.service.clock.monotonic_ns() - self.used_ns
        return unused_ns >= self.service.config.inactive_topic_ms * 1_000_000

    async def terminate(self) -> Position:
        """Take no message any more, for good; the id of the last one.

        Raises:
            LedgerError: It may be terminated or not.
        """
        assert not isinstance(self.ledger, VolatileLedger), "there is no end to note"
        self.attached.close_all()
        position = await self.ledger.terminate()
        for subscription in list(self.subscriptions.values()):
            subscription.tell_end_of_topic()
        return position

    async def close(self) -> None:
        """Send producers and consumers elsewhere, persist cursors, close the ledger."""
        await self._detach_all()
        await self.ledger.close()

    async def delete(self) -> None:
        """Send producers and consumers away, delete the ledgers and cursors."""
        await self._detach_all()
        await self.ledger.delete()

    async def _detach_all(self) -> None:
        self.closing = True
        self.attached.close_all()
        self._release()
        for subscription in list(self.subscriptions.values()):
            await subscription.close()


def _send_receipts(
    producer: Producer,
    ledger_id: int,
    first_entry_id: int,
    sequence_ids: Sequence[int],
    highest_sequence_ids: Sequence[int],
    sizes: Sequence[int],
) -> None:
    """The receipts of messages of one producer that were stored one behind the other."""
    connection = producer.connection
    connection.send(
        send_receipts(
            producer.producer_id, ledger_id, first_entry_id, sequence_ids, highest_sequence_ids
        )
    )
    connection.publishes_ended(len(sizes), sum(sizes))


def _reported(sequence_id: int, highest_sequence_id: int) -> int:
    """The sequence id by which an error names a failed send."""
    if highest_sequence_id == NO_SEQUENCE_ID:
        return sequence_id
    return max(sequence_id, highest_sequence_id)
