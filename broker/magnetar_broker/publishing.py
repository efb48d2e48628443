"""The way of a publish through a topic: to its ledger, and back as a receipt or an error."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from magnetar_ledger.errors import LedgerError, ManagedLedgerFencedError
from magnetar_proto.frames import check_payload
from magnetar_proto.replies import send_receipt
from magnetar_proto.varints import NONE

from magnetar_broker.deduplication import Deduplication
from magnetar_broker.errors import (
    ChecksumFailedError,
    NotAllowedError,
    PersistenceFailedError,
    as_broker_error,
)
from magnetar_broker.publish_cells import PublishCells
from magnetar_broker.publish_rows import (
    ACTION,
    REPEAT,
    STORED,
    PendingRow,
    confirm_run,
    reported_sequence_id,
    without_repeats,
)

if TYPE_CHECKING:
    from magnetar_broker.connection import Connection
    from magnetar_broker.producer import Producer
    from magnetar_broker.topic import Topic, TopicLedger

log = logging.getLogger(__name__)


class PublishPath:
    """One topic's. The sink of its ledger's appends.

    Attributes:
        dedup: Knows repeats; None where they are taken like any message.
        stored: Called with the place of the last entry that is stored; None if nobody asks.
        entries_in, messages_in, bytes_in: Published since the topic was loaded.
        cells: How long entries took, and how large they were.
        fenced: Nothing is taken until all that is under way has ended.
    """

    def __init__(self, topic: Topic, ledger: TopicLedger) -> None:
        self.dedup: Deduplication | None = None
        self.stored: Callable[[int, int], None] | None = None
        self.entries_in = 0
        self.messages_in = 0
        self.bytes_in = 0
        self.cells = PublishCells()
        self._now_ns = topic.service.clock.monotonic_ns
        self.fenced = False
        self._topic = topic
        self._ledger = ledger
        self._lost = False
        self._rows: list[PendingRow] = []  # not yet with the ledger, and their payloads
        self._payloads: list[bytes] = []
        self._pending: deque[PendingRow] = deque()
        self._actions: deque[Callable[[], None]] = deque()
        self._repeats = 0
        self._held: dict[Connection, None] = {}
        ledger.sink = self

    @property
    def pending_entries(self) -> int:
        """Entries that are on their way to the ledger."""
        return len(self._pending) - len(self._actions) - self._repeats

    @property
    def waiting_to_be_appended(self) -> tuple[int, int]:
        """Messages and bytes that were published since the last `append_published`."""
        return sum(row[4] for row in self._rows), sum(row[3] for row in self._rows)

    @property
    def idle(self) -> bool:
        """Nothing is under way."""
        return not self._pending and not self._rows

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
            highest_sequence_id: of a batch; else `publish_rows.NO_SEQUENCE_ID`.
            payload: all behind the command, kept as the same object.
        """
        if not check_payload(payload):
            producer.connection.publishes_ended(1, len(payload))
            self._refuse_checksum(producer, sequence_id, highest_sequence_id)
            return
        row = (producer, sequence_id, highest_sequence_id, len(payload), num_messages)
        self._rows.append(row)
        self._payloads.append(payload)
        publishes = producer.connection.publishes
        if publishes.topic is not self._topic:
            publishes.to(self._topic)

    def publish_limited(
        self,
        producer: Producer,
        sequence_id: int,
        highest_sequence_id: int,
        num_messages: int,
        payload: bytes,
    ) -> None:
        """`publish` for a topic with a largest message of its own."""
        most = self._topic.policies.max_message_bytes
        if len(payload) <= most:
            self.publish(producer, sequence_id, highest_sequence_id, num_messages, payload)
            return
        producer.connection.publishes_ended(1, len(payload))
        reported = reported_sequence_id(sequence_id, highest_sequence_id)
        error = NotAllowedError(
            f"Exceed maximum message size: {len(payload)} bytes, and {most} is the most of topic "
            f"{self._topic.name}"
        )
        self.in_order(lambda: producer.send_error(reported, error), producer)

    def append_published(self) -> None:
        """Hand on what was published since the last call; the connection's chunk has ended."""
        rows, self._rows = self._rows, []
        payloads, self._payloads = self._payloads, []
        if self.dedup is not None:
            rows, payloads, repeats = without_repeats(self.dedup, rows, payloads)
            self._repeats += repeats
        self._pending += rows
        if payloads:
            self.cells.began(len(payloads), self._now_ns())
            self._ledger.add_all(payloads)
        if self._repeats:
            self._take_turns()

    def entries_appended(self, ledger_id: int, first_entry_id: int, count: int) -> None:
        """The oldest `count` appends are durable: receipts out, consumers told."""
        self.cells.ended(count, self._now_ns())
        if self._actions or self._repeats:
            self._receipts_among_turns(ledger_id, first_entry_id, count)
        else:
            self._receipts(ledger_id, first_entry_id, count)
        if self.stored is not None:
            self.stored(ledger_id, first_entry_id + count - 1)
        if self.fenced:
            self._unfence()
        for subscription in self._topic.subscriptions.values():
            subscription.entries_available()

    def _receipts(self, ledger_id: int, first_entry_id: int, count: int) -> None:
        popleft = self._pending.popleft
        rows = [popleft() for _ in range(count)]
        if self.dedup is not None:
            for entry_id, row in enumerate(rows, first_entry_id):
                producer, sequence_id, highest, _, number = row
                name = producer.name
                self.dedup.stored(name, sequence_id, highest, number, ledger_id, entry_id)
        producer = rows[0][0]
        producers, *run, messages = zip(*rows, strict=True)
        self.entries_in += count
        if producers.count(producer) == count:
            self._count(producer, sum(messages), run[-1])
            confirm_run(producer, ledger_id, first_entry_id, *run)
            return
        for producer, group in groupby(rows, itemgetter(0)):
            _, *run, messages = zip(*group, strict=True)
            self._count(producer, sum(messages), run[-1])
            confirm_run(producer, ledger_id, first_entry_id, *run)
            first_entry_id += len(messages)

    def _count(self, producer: Producer, messages: int, sizes: Sequence[int]) -> None:
        """A run of messages of one producer is stored."""
        size_bytes = sum(sizes)
        self.cells.stored(sizes, size_bytes)
        self.messages_in += messages
        self.bytes_in += size_bytes
        producer.messages_in += messages
        producer.bytes_in += size_bytes

    def _receipts_among_turns(self, ledger_id: int, first_entry_id: int, count: int) -> None:
        for entry_id in range(first_entry_id, first_entry_id + count):
            assert self._pending[0][3] > ACTION
            self._receipts(ledger_id, entry_id, 1)
            self._take_turns()

    def append_failed(self, count: int, error: LedgerError) -> None:
        """The oldest `count` appends are not, or not certainly, stored."""
        self._fence(error)
        self.cells.failed(count)
        refusal = as_broker_error(error)
        if self.dedup is not None:
            self.dedup.failed(count)
        for _ in range(count):
            producer, sequence_id, highest_sequence_id, size, _ = self._pending.popleft()
            assert size > ACTION
            producer.connection.publishes_ended(1, size)
            producer.send_error(reported_sequence_id(sequence_id, highest_sequence_id), refusal)
            self._take_turns()
        self._unfence()

    def _refuse_checksum(
        self, producer: Producer, sequence_id: int, highest_sequence_id: int
    ) -> None:
        """Clients match errors with the oldest message that waits: this one waits its turn."""
        reported = reported_sequence_id(sequence_id, highest_sequence_id)
        error = ChecksumFailedError(
            f"The checksum of message {sequence_id} of producer {producer.name} is wrong; "
            "send it again"
        )
        self.in_order(lambda: producer.send_error(reported, error), producer)

    def in_order(self, action: Callable[[], None], producer: Producer) -> None:
        """Do this when all that was published so far has its receipt or error."""
        if self._rows:
            self.append_published()
        if not self._pending:
            action()
            return
        self._pending.append((producer, 0, 0, ACTION, 0))
        self._actions.append(action)

    def _take_turns(self) -> None:
        """Do what waited for the messages before it."""
        pending = self._pending
        while pending and pending[0][3] <= ACTION:
            row = pending.popleft()
            if row[3] == ACTION:
                self._actions.popleft()()
            else:
                self._answer_repeat(row)

    def _answer_repeat(self, row: PendingRow) -> None:
        """A receipt without a place, as Pulsar's, for what is stored; an error for what is not."""
        assert self.dedup is not None
        producer, sequence_id, highest, size, messages = row
        self._repeats -= 1
        producer.connection.publishes_ended(1, REPEAT - size)
        name = producer.name
        if messages == STORED or self.dedup.is_stored(name, sequence_id, highest, messages):
            receipt = send_receipt(producer.producer_id, sequence_id, NONE, NONE, highest)
            producer.connection.send(receipt)
            return
        error = PersistenceFailedError(
            f"Whether message {sequence_id} of producer {producer.name} is stored already cannot "
            "be said now; send it again"
        )
        producer.send_error(reported_sequence_id(sequence_id, highest), error)

    # Holding back.

    def hold_if_full(self, connection: Connection) -> None:
        """Have a connection that published here wait while the ledger has enough to do."""
        if self._ledger.writable or connection in self._held:
            return
        if not self._held:
            self._ledger.when_writable(self.release)
        self._held[connection] = None
        connection.hold(self._topic)

    def release(self) -> None:
        """Let those go on that were held back."""
        held, self._held = self._held, {}
        for connection in held:
            connection.release(self._topic)

    # Failure.

    def _fence(self, error: LedgerError) -> None:
        """Take nothing more until all that is under way has ended; producers come again.

        A producer whose message failed sends it and all later ones again. Were later ones of its
        still taken meanwhile, they would overtake it.
        """
        if not self.fenced:
            self.fenced = True
            log.warning("topic %s takes no messages for now: %s", self._topic.name, error)
            self._topic.attached.close_all()
        if isinstance(error, ManagedLedgerFencedError) and not self._lost:
            self._lost = True
            self._topic.lose(error)

    def _unfence(self) -> None:
        if not self._pending and not self._lost:
            self.fenced = False
            if self.dedup is not None:
                self.dedup.forget_failed()
