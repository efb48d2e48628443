"""What a producer decides: what is sent when, in which frames, and what a receipt settles.

Synchronous and without IO: calls give the sends whose frames go out, in order.
"""

from collections.abc import Callable, Sequence
from typing import Final

from magnetar_proto.sends import with_checksum

from magnetar.batches import Batch, BatchContainer, DefaultBatches, KeyBasedBatches
from magnetar.compression import make_codec
from magnetar.errors import MessageTooBig, ProducerQueueIsFull, PulsarException
from magnetar.outgoing import (
    ChunkedMessage,
    MessageOptions,
    PayloadEncoder,
    Send,
    Waiter,
    set_options,
)
from magnetar.pending_sends import PendingSends, fail_waiters
from magnetar.producer_options import ProducerOptions
from magnetar.types import BatchingType

_HEADROOM_BYTES: Final = 1024
"""Of a payload beside content and properties: sizes, checksum, names of fields, numbers."""

NO_SENDS: Final[tuple[Send, ...]] = ()


class ProducerCore:
    """One producer of one topic.

    Attributes:
        producer_id: by which the connection knows it.
        pending: what has no receipt.
        max_message_bytes: the largest payload that the broker takes.
        next_sequence_id: of the next message.
    """

    def __init__(
        self,
        topic: str,
        partition: int,
        producer_id: int,
        options: ProducerOptions,
        new_uuid: Callable[[], str],
    ) -> None:
        self.producer_id = producer_id
        self.pending = PendingSends(topic, partition)
        self.max_message_bytes = 0
        first = options.initial_sequence_id
        self.next_sequence_id = 0 if first is None else first + 1
        self._options = options
        self._timeout_s = options.send_timeout_millis / 1000
        self._new_uuid = new_uuid
        self._codec = make_codec(options.compression_type)
        self._encoder = PayloadEncoder("", 0, self._codec.compress, b"")
        self._batches: BatchContainer | None = None
        if options.batches:
            by_key = options.batching_type == BatchingType.KeyBased
            self._batches = KeyBasedBatches() if by_key else DefaultBatches()
        self._named = False

    def attached(
        self, name: str, last_sequence_id: int, schema_version: bytes, max_message_bytes: int
    ) -> None:
        """The broker has taken the producer in, under this name."""
        self.max_message_bytes = max_message_bytes
        compression = int(self._options.compression_type)
        self._encoder = PayloadEncoder(name, compression, self._codec.compress, schema_version)
        if not self._named:
            self._named = True
            self.pending.last_sequence_id = last_sequence_id
            if self._options.initial_sequence_id is None:
                self.next_sequence_id = last_sequence_id + 1

    @property
    def waiting_messages(self) -> int:
        """Messages without a receipt, sent or not."""
        return self.pending.messages + (self._batches.messages if self._batches else 0)

    @property
    def batched_messages(self) -> int:
        """Messages that wait for their batch to be sent."""
        return self._batches.messages if self._batches else 0

    @property
    def has_room(self) -> bool:
        """Whether one more message may wait."""
        size_bytes = self.pending.size_bytes
        messages = self.pending.messages
        if self._batches is not None:
            size_bytes += self._batches.content_bytes
            messages += self._batches.messages
        options = self._options
        return messages < options.max_pending_messages and size_bytes < options.max_pending_bytes

    def add(
        self,
        content: bytes,
        options: MessageOptions | None,
        sequence_id: int | None,
        waiter: Waiter,
        now_ms: int,
        now_s: float,
    ) -> Sequence[Send]:
        """Take a message; gives what goes out now.

        Raises:
            ProducerQueueIsFull: too many wait for their receipts.
            MessageTooBig: it is larger than the broker takes, and may not be cut.
        """
        if self._batches is None and options is None:
            pending = self.pending
            limits = self._options
            if (
                pending.messages < limits.max_pending_messages
                and pending.size_bytes < limits.max_pending_bytes
            ):
                return self._plain(content, sequence_id, waiter, now_ms, now_s)
        if not self.has_room:
            raise ProducerQueueIsFull(
                f"{self.waiting_messages} messages ({self.pending.size_bytes} bytes sent) wait for "
                "receipts: wait for some, raise max_pending_messages, or set block_if_queue_full"
            )
        batches = self._batches
        if (
            batches is not None
            and len(content) < self._options.batching_max_allowed_size_in_bytes
            and (options is None or not options.alone)
        ):
            return self._add_batched(batches, content, options, sequence_id, waiter, now_ms, now_s)
        before = self.flush(now_ms)
        sends = self._alone(content, options, sequence_id, waiter, now_ms, now_s)
        return [*before, *sends] if before else sends

    def _number(self, sequence_id: int | None) -> int:
        if sequence_id is None:
            sequence_id = self.next_sequence_id
        self.next_sequence_id = max(self.next_sequence_id, sequence_id + 1)
        return sequence_id

    def _deadline(self, now_s: float) -> float:
        return now_s + self._timeout_s if self._timeout_s else 0.0

    def _plain(
        self, content: bytes, sequence_id: int | None, waiter: Waiter, now_ms: int, now_s: float
    ) -> Sequence[Send]:
        """`_alone` for what carries nothing beside its content, which is most of all."""
        number = self.next_sequence_id if sequence_id is None else sequence_id
        payload = self._encoder.plain(number, now_ms, content)
        if len(payload) > self.max_message_bytes:
            return self._alone(content, None, sequence_id, waiter, now_ms, now_s)
        if number >= self.next_sequence_id:
            self.next_sequence_id = number + 1
        deadline_s = now_s + self._timeout_s if self._timeout_s else 0.0
        send = Send(self.producer_id, number, payload, (waiter,), deadline_s, len(content))
        self.pending.add(send)
        return (send,)

    # Batches.

    def _add_batched(
        self,
        batches: BatchContainer,
        content: bytes,
        options: MessageOptions | None,
        sequence_id: int | None,
        waiter: Waiter,
        now_ms: int,
        now_s: float,
    ) -> Sequence[Send]:
        limit_bytes = self._options.batching_max_allowed_size_in_bytes
        before: Sequence[Send] = NO_SENDS
        if batches.size_bytes and batches.size_bytes + len(content) > limit_bytes:
            before = self.flush(now_ms)
        number = self._number(sequence_id)
        batches.add(content, number, options, waiter, self._deadline(now_s))
        full = batches.messages >= self._options.batching_max_messages
        if not full and batches.size_bytes < limit_bytes:
            return before
        return [*before, *self.flush(now_ms)]

    def flush(self, now_ms: int) -> Sequence[Send]:
        """End all batches; gives what goes out."""
        if self._batches is None or not self._batches.messages:
            return NO_SENDS
        sends = []
        for batch in self._batches.take():
            send = self._batch_send(batch, now_ms)
            if send is not None:
                self.pending.add(send)
                sends.append(send)
        return sends

    def _batch_send(self, batch: Batch, now_ms: int) -> Send | None:
        first, last = batch.first_sequence_id, batch.last_sequence_id
        count = len(batch.waiters)
        body = b"".join(batch.parts)
        payload = self._encoder.batch(first, last, now_ms, count, body, batch.options)
        send = Send(
            self.producer_id,
            first,
            payload,
            batch.waiters,
            batch.deadline_s,
            batch.content_bytes,
            highest_sequence_id=last,
            batch_size=count,
        )
        if len(payload) <= self.max_message_bytes:
            return send
        fail_waiters(send, self._too_big(len(payload)))
        return None

    # Messages of their own.

    def _alone(
        self,
        content: bytes,
        options: MessageOptions | None,
        sequence_id: int | None,
        waiter: Waiter,
        now_ms: int,
        now_s: float,
    ) -> Sequence[Send]:
        limit_bytes = self.max_message_bytes
        deadline_s = self._deadline(now_s)
        number = self.next_sequence_id if sequence_id is None else sequence_id
        if options is None:
            payload = self._encoder.plain(number, now_ms, content)
        else:
            metadata = self._encoder.metadata(number, now_ms, len(content))
            set_options(metadata, options)
            body = self._encoder.compress(content)
            payload = with_checksum(metadata.SerializeToString(), body)
        if len(payload) > limit_bytes:
            if not self._options.chunking_enabled:
                raise self._too_big(len(payload))
            sends = self._chunks(content, options, number, waiter, now_ms, deadline_s)
        else:
            sends = [Send(self.producer_id, number, payload, (waiter,), deadline_s, len(content))]
        self._number(number)
        for send in sends:
            self.pending.add(send)
        return sends

    def _chunks(
        self,
        content: bytes,
        options: MessageOptions | None,
        number: int,
        waiter: Waiter,
        now_ms: int,
        deadline_s: float,
    ) -> list[Send]:
        metadata = self._encoder.metadata(number, now_ms, len(content))
        if options is not None:
            set_options(metadata, options)
        body = self._encoder.compress(content)
        metadata.uuid = self._new_uuid()
        metadata.total_chunk_msg_size = len(body)
        room = self.max_message_bytes - metadata.ByteSize() - _HEADROOM_BYTES
        if room < 1:
            raise self._too_big(metadata.ByteSize())
        count = -(-len(body) // room)
        metadata.num_chunks_from_msg = count
        shared = ChunkedMessage()
        sends = []
        for index in range(count):
            metadata.chunk_id = index
            part = body[index * room : (index + 1) * room]
            last = index == count - 1
            sends.append(
                Send(
                    self.producer_id,
                    number,
                    with_checksum(metadata.SerializeToString(), part),
                    (waiter,) if last else (),
                    deadline_s,
                    len(part),
                    chunks=shared,
                )
            )
        return sends

    def _too_big(self, size_bytes: int) -> MessageTooBig:
        return MessageTooBig(
            f"a message of {size_bytes} bytes, and the broker takes {self.max_message_bytes}: "
            "send less at once, compress, or set chunking_enabled"
        )

    # Ends.

    def expire(self, now_s: float, error: PulsarException) -> None:
        """Give up what has waited too long."""
        self.pending.expire(now_s, error)

    def fail_all(self, error: PulsarException) -> None:
        """Give everything up."""
        self.pending.fail_all(error)
        if self._batches is not None:
            for batch in self._batches.take():
                for waiter in batch.waiters:
                    if not waiter.done():
                        waiter.set_exception(error)
