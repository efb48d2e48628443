"""A producer of one topic: it stays attached, and sends again what was not confirmed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import encode_command
from magnetar_proto.sends import send_head

from magnetar_broker.errors import (
    BrokerError,
    ErrorCode,
    ServiceNotReadyError,
    TooManyRequestsError,
)
from magnetar_broker.inner_client.answers_in import refused
from magnetar_broker.inner_client.attaching import FINAL, Attached
from magnetar_broker.inner_client.outgoing import (
    Outgoing,
    SendSink,
    entry_of,
    entry_of_batch,
    most_head_bytes,
)

if TYPE_CHECKING:
    from magnetar_runtime.scope import TaskScope

    from magnetar_broker.inner_client.client_connection import ClientConnection
    from magnetar_broker.inner_client.inner_client import InnerClient
    from magnetar_broker.topic_name import TopicName


@dataclass(frozen=True, slots=True)
class ProducerOptions:
    """Attributes:
    name: Empty lets the broker choose.
    initial_sequence_id: Of the first message minus one; None goes on behind the last one known.
    send_timeout_ms: What is not stored by then has failed; 0 waits for ever.
    max_pending_bytes: of bodies that wait for their receipts.
    batch_messages: The most in a batch; 1 sends each by itself.
    batch_bytes: The most in a batch, with keys and properties; a larger message leaves by itself.
    """

    name: str = ""
    initial_sequence_id: int | None = None
    send_timeout_ms: int = 30_000
    max_pending: int = 1000
    max_pending_bytes: int = 8 << 20
    batch_messages: int = 1
    batch_bytes: int = 128 * 1024
    batch_delay_ms: float = 1.0
    compression: int = 0


@dataclass(slots=True)
class _Pending:
    """An entry without a receipt.

    Attributes:
        tokens: Of its messages.
        highest_sequence_id: Of a batch; -1 if it is none.
    """

    sequence_id: int
    highest_sequence_id: int
    payload: bytes
    tokens: Sequence[int]
    sink: SendSink
    since_s: float


class TopicProducer(Attached):
    """Attributes:
    name: Known once it is open.
    failure: Why nothing can be sent any more; None while it can.
    """

    def __init__(
        self,
        client: InnerClient,
        topic: TopicName,
        options: ProducerOptions,
        scope: TaskScope,
    ) -> None:
        super().__init__(client, topic, scope, f"a producer of {topic}")
        self.name = options.name
        self.failure: BrokerError | None = None
        self._clock = client.service.clock
        self._loop = client.service.loop
        self._options = options
        self._partition = topic.partition_index
        self._epoch = 0
        self._pending: deque[_Pending] = deque()
        self._given_up = 0  # sent on this connection and timed out: their receipts come first
        self._pending_bytes = 0
        self._pending_messages = 0
        self._next_sequence_id = 0
        self._batch: list[tuple[Outgoing, int, int]] = []
        self._batch_bytes = 0
        self._most_batch_bytes = options.batch_bytes
        self._batch_sink: SendSink | None = None
        self._room: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    # Life.

    @property
    def _wanted(self) -> bool:
        return super()._wanted and self.failure is None

    def _links(self, connection: ClientConnection) -> dict[int, Any]:
        return connection.producers

    def _command(self) -> api.CommandProducer:
        return api.CommandProducer(
            topic=str(self.topic),
            producer_id=self._id,
            request_id=0,
            producer_name=self.name or None,
            epoch=self._epoch,
            user_provided_producer_name=bool(self._options.name),
        )

    async def _attach(self) -> None:
        if self._opened:
            self._epoch += 1
        await super()._attach()

    def _on_attached(self, answer: api.CommandProducerSuccess) -> None:
        self.name = answer.producer_name
        # Messages that each would be taken must not be refused together.
        limit = self._client.service.config.limits.max_message_bytes
        self._most_batch_bytes = min(self._options.batch_bytes, limit - most_head_bytes(self.name))
        if not self._opened:
            initial = self._options.initial_sequence_id
            last = answer.last_sequence_id if initial is None else initial
            self._next_sequence_id = last + 1
        self._given_up = 0
        for pending in self._pending:
            self._write(pending)

    def _on_detached(self) -> None:
        pass  # what has no receipt is sent again when it is attached

    def _on_refused(self, refusal: BrokerError) -> None:
        self._fail(refusal)

    def close(self) -> None:
        """Detach; what has no receipt has failed."""
        if not self._closed:
            super().close()
            self._fail(ServiceNotReadyError(f"Producer {self.name} of {self.topic} was closed"))

    def _tell_closed(self, connection: ClientConnection) -> None:
        if not connection.closed:
            command = api.CommandCloseProducer(producer_id=self._id, request_id=0)
            connection.send(encode_command(command))

    def _fail(self, error: BrokerError) -> None:
        self.failure = self.failure or error
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, sink, self._batch = self._batch, self._batch_sink, []
        while self._pending:
            self._end_first(error)
        if sink is not None:
            for _, _, token in batch:
                sink.not_stored(token, error)
        self._wake()

    # Sending.

    @property
    def has_room(self) -> bool:
        """Whether a further message may be sent now."""
        pending = self._pending_messages + len(self._batch)
        return (
            pending < self._options.max_pending
            and self._pending_bytes + self._batch_bytes < self._options.max_pending_bytes
        )

    async def room(self) -> None:
        """Wait until a further message may be sent. Raises BrokerError: none will be."""
        while not self.has_room and self.failure is None:
            if self._room is None:
                self._room = self._loop.create_future()
            await asyncio.shield(self._room)
        if self.failure is not None:
            raise self.failure

    def _wake(self) -> None:
        if self._room is not None and (self.has_room or self.failure is not None):
            self._room.set_result(None)
            self._room = None

    def send(
        self,
        message: Outgoing,
        token: int,
        sink: SendSink,
        *,
        batched: bool = True,
        publish_time_ms: int = 0,
    ) -> None:
        """Send one message; the sink hears of it under its token.

        Args:
            batched: it may share an entry, if the producer batches.
            publish_time_ms: for those who send many and ask the clock once; else it is now.

        Raises:
            BrokerError: nothing can be sent any more, or too much waits (see `room`).
            PayloadError: it cannot be compressed here.
        """
        if self.failure is not None:
            raise self.failure
        if not self.has_room:
            raise TooManyRequestsError("Too many messages wait for their receipts")
        sequence_id = message.sequence_id
        if sequence_id < 0:
            sequence_id = self._next_sequence_id
        # Never back: with deduplication what follows would be taken for repeats.
        self._next_sequence_id = max(self._next_sequence_id, sequence_id + 1)
        if batched and self._options.batch_messages > 1 and message.batchable:
            self._add_to_batch(message, sequence_id, token, sink)
            return
        self.flush()
        self._send_single(message, sequence_id, token, sink, publish_time_ms)

    def _send_single(
        self,
        message: Outgoing,
        sequence_id: int,
        token: int,
        sink: SendSink,
        publish_time_ms: int = 0,
    ) -> None:
        payload = entry_of(
            message,
            producer_name=self.name,
            sequence_id=sequence_id,
            publish_time_ms=publish_time_ms or self._clock.wall_ms(),
            compression=self._options.compression,
        )
        self._queue(sequence_id, -1, payload, (token,), sink)

    def _add_to_batch(
        self, message: Outgoing, sequence_id: int, token: int, sink: SendSink
    ) -> None:
        size_bytes, most_bytes = message.most_bytes, self._most_batch_bytes
        if self._batch_sink is not sink or self._batch_bytes + size_bytes > most_bytes:
            self.flush()
            self._batch_sink = sink
        if not self._batch:
            self._loop.call_later(self._options.batch_delay_ms / 1000, self.flush)
        self._batch.append((message, sequence_id, token))
        self._batch_bytes += size_bytes
        full = len(self._batch) >= self._options.batch_messages
        if full or self._batch_bytes >= most_bytes:
            self.flush()

    def flush(self) -> None:
        """Send the batch that is being gathered."""
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        sink = self._batch_sink
        if not batch or sink is None or self.failure is not None:
            return
        if len(batch) == 1:  # no batch on the wire either, as with Pulsar's clients
            self._send_single(*batch[0], sink)
            return
        payload = entry_of_batch(
            [(message, sequence_id) for message, sequence_id, _ in batch],
            producer_name=self.name,
            publish_time_ms=self._clock.wall_ms(),
            compression=self._options.compression,
        )
        self._queue(batch[0][1], batch[-1][1], payload, [token for _, _, token in batch], sink)

    def _queue(
        self,
        sequence_id: int,
        highest_sequence_id: int,
        payload: bytes,
        tokens: Sequence[int],
        sink: SendSink,
    ) -> None:
        limit = self._client.service.config.limits.max_message_bytes
        if len(payload) > limit:
            for token in tokens:
                sink.not_stored(token, _too_large(len(payload), limit))
            return
        now_s = self._loop.time()
        pending = _Pending(sequence_id, highest_sequence_id, payload, tokens, sink, now_s)
        self._pending.append(pending)
        self._pending_bytes += len(payload)
        self._pending_messages += len(tokens)
        if self._connection is not None:
            self._write(pending)
        if self._timer is None and self._options.send_timeout_ms:
            delay_s = self._options.send_timeout_ms / 1000
            self._timer = self._loop.call_later(delay_s, self._check_timeout)

    def _write(self, pending: _Pending) -> None:
        assert self._connection is not None
        highest = pending.highest_sequence_id
        head = send_head(
            self._id,
            pending.sequence_id,
            len(pending.payload),
            0 if highest < 0 else len(pending.tokens),
            highest,
        )
        self._connection.send(head)
        self._connection.send(pending.payload)

    # What becomes of it.

    def receipts(self, receipts: Sequence[api.CommandSendReceipt]) -> None:
        """From the connection: the oldest are stored."""
        for receipt in receipts:
            if self._given_up:
                self._given_up -= 1
            elif self._pending:
                self._confirm_first(receipt)
        self._wake()

    def _confirm_first(self, receipt: api.CommandSendReceipt) -> None:
        pending, place = self._take_first(), receipt.message_id
        pending.sink.stored(pending.tokens, place.ledgerId, place.entryId, self._partition)

    def send_failed(self, error: api.CommandSendError) -> None:
        """From the connection. What may work later is sent again when the producer is attached."""
        failure = refused(error.error, error.message)
        final = failure.code in FINAL or failure.code == ErrorCode.CHECKSUM
        if self._given_up:
            self._given_up -= 1
        elif final:
            self._end_first(failure)
        elif self._connection is not None:
            self._leave(self._connection)
            self.detached()
        self._wake()

    def _take_first(self) -> _Pending:
        pending = self._pending.popleft()
        self._pending_bytes -= len(pending.payload)
        self._pending_messages -= len(pending.tokens)
        return pending

    def _end_first(self, error: BrokerError) -> None:
        if not self._pending:
            return
        pending = self._take_first()
        for token in pending.tokens:
            pending.sink.not_stored(token, error)

    def _check_timeout(self) -> None:
        self._timer = None
        timeout_s = self._options.send_timeout_ms / 1000
        now_s = self._loop.time()
        while self._pending and now_s - self._pending[0].since_s >= timeout_s:
            self._given_up += self._connection is not None
            self._end_first(
                ServiceNotReadyError(
                    f"The message was not stored within {self._options.send_timeout_ms} ms; "
                    "it may be stored later"
                )
            )
        if self._pending:
            waits_s = timeout_s - (now_s - self._pending[0].since_s)
            self._timer = self._loop.call_later(waits_s, self._check_timeout)
        self._wake()


def _too_large(size_bytes: int, limit: int) -> BrokerError:
    return refused(
        ErrorCode.NOT_ALLOWED, f"A message of {size_bytes} bytes; the limit is {limit} bytes"
    )
