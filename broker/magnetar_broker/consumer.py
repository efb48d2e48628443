"""One consumer of a subscription: its permits, what it holds, and how it is spoken to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import encode_payload_command
from magnetar_proto.replies import message_head

from magnetar_broker import consume_answers
from magnetar_broker.consumer_link import ConsumerLink
from magnetar_broker.message_heads import MessageHeads
from magnetar_broker.pending_acks import PendingAcks
from magnetar_broker.subscription_type import HashRange, KeySharing, SubscriptionType

if TYPE_CHECKING:
    from magnetar_broker.subscription import Subscription

_ACTIVE_CHANGE_SINCE: Final = 12  # protocol version
_END_OF_TOPIC_SINCE: Final = 9

# C++ (with Python and Node on top) and Go drop the whole connection on a command that they do not
# know, and neither knows REACHED_END_OF_TOPIC, although both claim a protocol version above 9.
# So only clients that are known to take it get it.
_KNOWS_END_OF_TOPIC: Final = ("Pulsar-Java", "Magnetar")


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """What a SUBSCRIBE says about the consumer itself.

    Attributes:
        epoch: Stamped on every message, so that the client can drop what was sent before its last
            redelivery request; None if the client uses no epochs.
        sharing, hash_ranges: Key_Shared only; the ranges are those of a sticky consumer.
    """

    consumer_id: int
    name: str
    type: SubscriptionType
    priority_level: int = 0
    durable: bool = True
    epoch: int | None = None
    sharing: KeySharing = field(default_factory=KeySharing)
    hash_ranges: Sequence[HashRange] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


class Consumer:
    """Belongs to one connection and one subscription. Permits count messages, not entries.

    Attributes:
        partition: Index of the topic among its partitions; -1 if it is none.
        permits: Messages that the client has room for; a batch may drive it below zero.
        drained_hashes: Hashes that went to another consumer, and of which it holds no entry more.
        parked_permits: What FLOW brought while the consumer was blocked.
        redelivered_entries: Given back by the client.
        unacked: Messages of Shared that were sent and not acked.
        blocked: Too many unacked messages: nothing is sent until half of them are acked.
    """

    __slots__ = (
        "_heads",
        "acked_entries",
        "blocked",
        "bytes_out",
        "connected_since_ms",
        "drained_hashes",
        "end_of_topic_sent",
        "epoch",
        "link",
        "messages_out",
        "options",
        "parked_permits",
        "partition",
        "pending",
        "permits",
        "redelivered_entries",
        "subscription",
        "unacked",
    )

    def __init__(self, link: ConsumerLink, options: ConsumerOptions, now_ms: int) -> None:
        self.link = link
        self.options = options
        self.connected_since_ms = now_ms
        self.subscription: Subscription | None = None
        self.partition = -1
        self.epoch = options.epoch
        self._heads: MessageHeads | None = None
        self.permits = 0
        self.parked_permits = 0
        self.unacked = 0
        self.blocked = False
        self.pending = PendingAcks()
        self.end_of_topic_sent = False
        self.messages_out = 0
        self.bytes_out = 0
        self.acked_entries = 0
        self.redelivered_entries = 0
        self.drained_hashes = 0

    @property
    def consumer_id(self) -> int:
        return self.options.consumer_id

    @property
    def name(self) -> str:
        return self.options.name

    @property
    def priority_level(self) -> int:
        return self.options.priority_level

    @property
    def counters(self) -> tuple[int, int, int, int]:
        """What rates are taken of."""
        return self.messages_out, self.bytes_out, self.redelivered_entries, self.acked_entries

    @property
    def connected_since(self) -> str:
        """The time of the subscribe in ISO form, as statistics give it."""
        seconds, millis = divmod(self.connected_since_ms, 1000)
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"

    def send_entry(
        self,
        ledger_id: int,
        entry_id: int,
        redelivery_count: int,
        ack_set: Sequence[int],
        payload: bytes,
    ) -> None:
        """Send one entry; the payload goes out as the same object."""
        if self.epoch is None:
            head = message_head(
                self.options.consumer_id,
                ledger_id,
                entry_id,
                self.partition,
                redelivery_count,
                ack_set,
                len(payload),
            )
        else:
            head = self._head_with_epoch(ledger_id, entry_id, redelivery_count, ack_set, payload)
        self.link.send_parts((head, payload), len(payload))

    def send_run(self, ledger_id: int, first_entry_id: int, payloads: Sequence[bytes]) -> None:
        """Send entries that follow on, none of which was sent or acked before, even in part."""
        if self.epoch is not None:
            for entry_id, payload in enumerate(payloads, first_entry_id):
                self.send_entry(ledger_id, entry_id, 0, (), payload)
            return
        if self._heads is None:
            self._heads = MessageHeads(self.options.consumer_id, self.partition)
        parts = self._heads.before_each(ledger_id, first_entry_id, payloads)
        self.link.send_parts(parts, max(map(len, payloads)))

    def _head_with_epoch(
        self,
        ledger_id: int,
        entry_id: int,
        redelivery_count: int,
        ack_set: Sequence[int],
        payload: bytes,
    ) -> bytes:
        message_id = api.MessageIdData(
            ledgerId=ledger_id, entryId=entry_id, partition=self.partition
        )
        command = api.CommandMessage(
            consumer_id=self.consumer_id,
            message_id=message_id,
            redelivery_count=redelivery_count,
            ack_set=ack_set,
            consumer_epoch=self.epoch,
        )
        return encode_payload_command(command, payload)

    def charge(self, messages: int, size_bytes: int) -> None:
        """So much was sent in one batch."""
        self.permits -= messages
        self.messages_out += messages
        self.bytes_out += size_bytes

    def send_active_change(self, active: bool) -> None:
        """Tell a Failover consumer whether it is the one that gets messages."""
        if self.link.protocol_version < _ACTIVE_CHANGE_SINCE:
            return
        self.link.send(consume_answers.active_change(self.consumer_id, active=active))

    def send_end_of_topic(self) -> None:
        """Tell the client, once and if it can take it, that no message will ever follow."""
        link = self.link
        if self.end_of_topic_sent or link.protocol_version < _END_OF_TOPIC_SINCE:
            return
        self.end_of_topic_sent = True
        if not link.client_version.startswith(_KNOWS_END_OF_TOPIC):
            return
        link.send(consume_answers.end_of_topic(self.consumer_id))

    def close(self) -> None:
        """Send the client away: it looks the topic up and subscribes again."""
        self.link.send(consume_answers.close_consumer(self.consumer_id))
        self.forget()

    def forget(self) -> None:
        """The connection knows this consumer no more; later commands for it are ignored."""
        if self.link.consumers.get(self.consumer_id) is self:
            del self.link.consumers[self.consumer_id]
