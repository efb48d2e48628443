"""A producer of one topic or partition: the shell around `ProducerCore`."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, cast

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import encode_command
from magnetar_runtime.clock import Clock
from magnetar_runtime.scope import TaskScope

from magnetar.attachment import Attachment
from magnetar.connection import Connection
from magnetar.errors import (
    ChecksumError,
    ConnectError,
    MessageTooBig,
    NotAllowedError,
    NotConnected,
    PulsarException,
    Timeout,
    TopicTerminated,
)
from magnetar.lookup import Lookup
from magnetar.outgoing import MessageOptions, Send, Waiter
from magnetar.pending_sends import Receipt
from magnetar.producer_core import ProducerCore
from magnetar.producer_options import ProducerOptions

log = logging.getLogger(__name__)

_FINAL_ERRORS: Final = (ChecksumError, NotAllowedError, TopicTerminated, MessageTooBig)
"""What a broker says of one message. After any other error the producer connects again and sends
what has no receipt once more."""


class TopicProducer(Attachment):
    """One PRODUCER of one topic.

    Args:
        core: what decides.
        schema: told to the broker, which checks it.
        operation_timeout_s: for opening it, and for closing.
    """

    def __init__(
        self,
        topic: str,
        core: ProducerCore,
        options: ProducerOptions,
        schema: api.Schema | None,
        lookup: Lookup,
        scope: TaskScope,
        clock: Clock,
        operation_timeout_s: float,
    ) -> None:
        super().__init__(topic, f"producer on {topic}", lookup, scope)
        self.core = core
        self.name = options.producer_name or ""
        self._options = options
        self._schema = schema
        self._clock = clock
        self._timeout_s = operation_timeout_s
        self._loop = asyncio.get_running_loop()
        self._epoch = 0
        self._topic_epoch: int | None = None
        self._delay_s = options.batching_max_publish_delay_ms / 1000
        self._flush_soon = False
        self._batch_timer: asyncio.TimerHandle | None = None
        self._expiry_timer: asyncio.TimerHandle | None = None
        self._room: deque[asyncio.Future[None]] = deque()

    # Sending.

    def send_now(
        self,
        content: bytes,
        options: MessageOptions | None,
        sequence_id: int | None,
        waiter: Waiter,
    ) -> None:
        """Take a message; `waiter` learns what becomes of it.

        Raises:
            ProducerQueueIsFull, MessageTooBig: it is not taken.
            PulsarException: the producer has ended.
        """
        if self.closed:
            self.check_open()
        core = self.core
        now_ms, now_s = self._clock.wall_ms(), self._loop.time()
        sends = core.add(content, options, sequence_id, waiter, now_ms, now_s)
        if sends:
            self._transmit(sends)
        elif self._flush_soon:
            return
        elif not len(core.pending):
            # Nothing is under way: what is sent in this turn of the loop makes the batch.
            self._flush_soon = True
            self._loop.call_soon(self._flush_now)
        elif self._batch_timer is None:
            self._batch_timer = self._loop.call_later(self._delay_s, self._flush_now)
        if self._expiry_timer is None and self._options.send_timeout_millis:
            self._arm_expiry(self._options.send_timeout_millis / 1000)

    async def room(self) -> None:
        """Wait until one more message may be sent; who waits longest goes first."""
        while not self.closed and (self._room or not self.core.has_room):
            future = self._loop.create_future()
            self._room.append(future)
            try:
                await future
            except asyncio.CancelledError:
                if future.done() and not future.cancelled():
                    self._offer_room()  # the next one takes the place
                raise
            finally:
                if future in self._room:
                    self._room.remove(future)
            if self.core.has_room:
                return
        self.check_open()

    def flush_batches(self) -> None:
        """Send what is collected."""
        self._flush_now()

    def _flush_now(self) -> None:
        self._flush_soon = False
        if self._batch_timer is not None:
            self._batch_timer.cancel()
            self._batch_timer = None
        sends = self.core.flush(self._clock.wall_ms())
        if sends:
            self._transmit(sends)

    def _transmit(self, sends: Sequence[Send]) -> None:
        connection = self.connection
        if connection is None:
            return  # all of it is sent when there is one
        for send in sends:
            connection.send(send.head)
            connection.send(send.payload)

    # What the connection tells.

    def receipt(self, sequence_id: int, ledger_id: int, entry_id: int) -> None:
        outcome = self.core.pending.receipt(sequence_id, ledger_id, entry_id)
        if outcome is Receipt.AHEAD:
            assert self.connection is not None
            self.connection.abort(
                ConnectError(f"{self.what}: a receipt for message {sequence_id} before its turn")
            )
            return
        if not len(self.core.pending) and self.core.batched_messages:
            self._flush_now()
        if self._room:
            self._offer_room()

    def send_error(self, sequence_id: int, error: PulsarException) -> None:
        if isinstance(error, _FINAL_ERRORS):
            self.core.pending.fail(sequence_id, error)
            self._offer_room()
            return
        log.warning("%s: %s; connecting again", self.what, error)
        connection = self.connection
        if connection is not None:
            self._forget_at(connection)
            self.link_lost(connection)

    def _offer_room(self) -> None:
        free = self._options.max_pending_messages - self.core.waiting_messages
        while self._room and free > 0 and self.core.has_room:
            future = self._room.popleft()
            if not future.done():
                future.set_result(None)
                free -= 1

    # Waiting too long.

    def _arm_expiry(self, delay_s: float) -> None:
        self._expiry_timer = self._loop.call_later(delay_s, self._expire)

    def _expire(self) -> None:
        self._expiry_timer = None
        timeout_ms = self._options.send_timeout_millis
        state = "no receipt" if self.connection is not None else "not connected"
        now_s = self._loop.time()
        self.core.expire(now_s, Timeout(f"{self.what}: {state} in {timeout_ms} ms"))
        if len(self.core.pending):
            self._arm_expiry(max(self.core.pending.next_deadline_s - now_s, 0.001))
        elif self.core.batched_messages:
            self._arm_expiry(timeout_ms / 1000)
        self._offer_room()

    # Attaching.

    async def _attach(self, connection: Connection) -> None:
        core = self.core
        connection.producers[core.producer_id] = self
        try:
            answer = await connection.request(self._command(), self.what, self._timeout_s)
            if connection.producers.get(core.producer_id) is not self:
                raise NotConnected(f"{self.what}: closed by the broker at once")
        except BaseException:
            if connection.producers.pop(core.producer_id, None) is not None:
                self._forget_at(connection)
            raise
        if self.closed:
            self._forget_at(connection)
            self.check_open()
        self.name = answer.producer_name
        if answer.HasField("topic_epoch"):
            self._topic_epoch = answer.topic_epoch
        core.attached(
            answer.producer_name,
            answer.last_sequence_id,
            answer.schema_version,
            connection.max_message_bytes,
        )
        self._set_attached(connection)
        self._transmit(list(core.pending))

    def _command(self) -> api.CommandProducer:
        options = self._options
        command = api.CommandProducer(
            topic=self.topic,
            producer_id=self.core.producer_id,
            epoch=self._epoch,
            user_provided_producer_name=options.producer_name is not None,
            producer_access_mode=cast(Any, int(options.access_mode)),
        )
        self._epoch += 1
        if self.name:
            command.producer_name = self.name
        for key, value in (options.properties or {}).items():
            command.metadata.add(key=key, value=value)
        if self._schema is not None:
            command.schema.CopyFrom(self._schema)
        if self._topic_epoch is not None:
            command.topic_epoch = self._topic_epoch
        if options.initial_subscription_name:
            command.initial_subscription_name = options.initial_subscription_name
        return command

    def _forget_at(self, connection: Connection) -> None:
        connection.producers.pop(self.core.producer_id, None)
        command = api.CommandCloseProducer(
            producer_id=self.core.producer_id, request_id=connection.next_request_id()
        )
        connection.send(encode_command(command))

    # Closing.

    @property
    def close_timeout_s(self) -> float:
        """How long closing waits for receipts: as long as sending may take, if that has an end."""
        return self._options.send_timeout_millis / 1000 or self._timeout_s

    async def flush(self) -> None:
        """Send what is collected, and wait until the fate of all that was sent is known.

        What failed is told where it was sent.
        """
        self.check_open()
        self._flush_now()
        done: asyncio.Future[None] = self._loop.create_future()
        self.core.pending.when_settled(done)
        await done

    async def close(self) -> None:
        """Have the broker forget it; what has no receipt fails."""
        if self.closed:
            return
        connection = self.connection
        self.end()
        if connection is None:
            return
        connection.producers.pop(self.core.producer_id, None)
        command = api.CommandCloseProducer(producer_id=self.core.producer_id)
        with suppress(ConnectError):  # gone is closed
            await connection.request(command, f"closing {self.what}", self._timeout_s)

    def _on_ended(self, error: PulsarException) -> None:
        for timer in (self._batch_timer, self._expiry_timer):
            if timer is not None:
                timer.cancel()
        self.core.fail_all(error)
        while self._room:
            future = self._room.popleft()
            if not future.done():
                future.set_result(None)
