"""A client's connection: frames in, commands out, and the signals that hold it back.

States: waiting for CONNECT (`handlers` knows nothing else), connected, closed. Each received chunk
is split into frames, and each command is handled at once, without a task. What is sent in one turn
of the loop leaves in one write (`flusher`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, cast

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.errors import FrameError
from magnetar_proto.frames import Frame, FrameSplitter

from magnetar_broker import answers
from magnetar_broker.errors import (
    BrokerError,
    ProtocolViolationError,
)
from magnetar_broker.handlers_consume import consumers_writable, detach_consumers
from magnetar_broker.handlers_produce import detach_producers, handle_send
from magnetar_broker.handlers_topic_list import end_topic_watches
from magnetar_broker.liveness import Liveness
from magnetar_broker.publish_window import PublishWindow
from magnetar_broker.request_queue import RequestQueue

if TYPE_CHECKING:
    from magnetar_broker.consumer import Consumer
    from magnetar_broker.producer import Producer
    from magnetar_broker.producing import Producing
    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic_watches import TopicWatch

log = logging.getLogger(__name__)

Handler = Callable[["Connection", Any], None]
"""Takes a command's own message, for example a `CommandProducer`."""

_SEND: Final = int(api.BaseCommand.SEND)

OUTPUT: Final = "output"
"""Why reading is held: the peer does not read what it is sent."""

LARGE_PART_BYTES: Final = 1 << 10
"""With a part of this size a write is gathered by the transport; without, it is joined first.

Measured with uvloop: at 200 bytes joining costs less than half, at 4 KB gathering costs a quarter.
"""


class Connection(asyncio.BufferedProtocol):
    """One client. A `ConsumerLink` for its consumers.

    Attributes:
        handlers: What each command does, in the present state.
        producers: By the id that the client chose.
        producing: By the same ids, those whose PRODUCER is under way or that wait for a topic.
        consumers, subscribing: The same for consumers.
        topic_watches: By the id that the client chose.
        publishes: Messages that wait for their receipts.
    """

    def __init__(self, service: BrokerService, handlers: Mapping[int, Handler]) -> None:
        self.service = service
        self._limits = service.config.limits
        self.handlers = handlers
        self.producers: dict[int, Producer] = {}
        self.producing: dict[int, Producing] = {}
        self.consumers: dict[int, Consumer] = {}
        self.subscribing: dict[int, Consumer] = {}
        self.topic_watches: dict[int, TopicWatch] = {}
        self.client_version = ""
        self.protocol_version = 0
        self.remote_address = ""
        self.closed = False
        self.writable = False
        self.output: list[bytes] = []
        self._output_dirty = False
        self._output_large = False
        self._splitter = FrameSplitter(service.config.limits.max_frame_bytes)
        self._transport: asyncio.Transport | None = None
        self._holds: set[Hashable] = set()
        self._paused_bytes = 0  # what waited when writing paused, and what was written since
        self.publishes = PublishWindow(self._limits, service.publish_buffer)
        self._requests = RequestQueue(self, self._limits, service.scope, service.loop)
        self._liveness = Liveness(service.loop, self._limits.connection_liveness_timeout_ms)
        self._dropped_producers: dict[int, int] = {}

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(self._limits.max_outgoing_bytes_per_connection)
        peer = transport.get_extra_info("peername")
        self.remote_address = f"{peer[0]}:{peer[1]}" if peer else ""
        self.writable = True
        self.service.connection_opened(self)

    def get_buffer(self, sizehint: int) -> bytearray | memoryview:
        return self._splitter.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        self._liveness.received()
        try:
            self._handle(self._splitter.buffer_updated(nbytes))
        except FrameError as error:
            # What came before the break counts, however the network cut the stream.
            self._handle(error.frames)
            self._close_for(error)
        if self.publishes.topic is not None:
            self.publishes.chunk_ended(self)

    def handle_deferred(self, frames: Sequence[Frame]) -> None:
        """Frames that waited behind many requests."""
        if self.closed:
            return
        self._handle(frames)
        if self.publishes.topic is not None:
            self.publishes.chunk_ended(self)

    def _handle(self, frames: Sequence[Frame]) -> None:
        publishes = size_bytes = 0
        requests, turn_ends_at = self._requests, self._requests.turn_ends_at
        rest = iter(frames)
        try:
            for kind, message, payload in rest:
                if kind == _SEND and payload is not None:
                    publishes += 1
                    size_bytes += len(payload)
                    handle_send(self, message, payload)
                else:
                    self._handler_of(kind)(self, message)
                    if requests.begun >= turn_ends_at:
                        requests.defer(list(rest))
        except ProtocolViolationError as error:
            self._close_for(error)
        if publishes:
            self.publishes.taken(self, publishes, size_bytes)

    def _handler_of(self, kind: int) -> Handler:
        handler = self.handlers.get(kind)
        if handler is None:
            name = api.BaseCommand.Type.Name(api.BaseCommand.Type.ValueType(kind))
            raise ProtocolViolationError(f"{name} is no command for a broker in this state")
        return handler

    def _close_for(self, error: Exception) -> None:
        log.info("connection %s closed: %s", self.remote_address, error)
        self.close()

    def eof_received(self) -> None:
        """The peer sends no more: it is gone.

        Closed from now on, and not when all is written: a peer that does not read either would
        stay for ever, as nobody that is held is asked whether it lives.
        """
        self.close()

    def pause_writing(self) -> None:
        self.writable = False
        assert self._transport is not None
        self._paused_bytes = self._transport.get_write_buffer_size()
        self.hold(OUTPUT)

    def resume_writing(self) -> None:
        if self.closed:
            return
        self.writable = True
        self.release(OUTPUT)
        consumers_writable(self)

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None:
            log.info("connection %s lost: %s", self.remote_address, error)
        self.closed = True
        self.writable = False
        self.output.clear()
        self._requests.forget()
        self._liveness.settle(alive=False)
        self._transport = None
        with ExitStack() as steps:  # the last comes first, and each whatever the others raise
            steps.callback(self.service.connection_closed, self)
            steps.callback(end_topic_watches, self)
            steps.callback(detach_consumers, self)
            steps.callback(detach_producers, self)

    # Out.

    def send(self, data: bytes) -> None:
        """Append to what leaves with the one write of this loop turn."""
        if self.closed:
            return
        self.output.append(data)
        if not self._output_dirty:
            self._output_dirty = True
            self.service.flusher.add(self)

    def send_parts(self, parts: Sequence[bytes], largest_bytes: int) -> None:
        """`send` for heads and payloads of messages: large payloads are not copied."""
        if self.closed:
            return
        if largest_bytes >= LARGE_PART_BYTES:
            self._output_large = True
        self.output += parts
        if not self._output_dirty:
            self._output_dirty = True
            self.service.flusher.add(self)

    def flush(self) -> None:
        """Write what was sent in this turn."""
        self._output_dirty = False
        parts = self.output
        if not parts or self._transport is None:
            return
        self.output = []
        if not self.writable:
            self._paused_bytes += sum(map(len, parts))
        if self._output_large:
            self._output_large = False
            self._transport.writelines(parts)
        else:
            self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))

    def send_error(self, request_id: int, error: BrokerError) -> None:
        """Refuse a request."""
        self.send(answers.error(request_id, error.code, str(error)))

    def close(self) -> None:
        """Send what waits, then close. What comes in from now on is not handled."""
        if self.closed:
            return
        if not self.service.flusher.held:
            self.flush()
        self.closed = True
        self.writable = False
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, also if the peer does not read. What waits to be sent is not."""
        self.closed = True
        self.writable = False
        self.output.clear()
        if self._transport is not None:
            self._transport.abort()

    def request(
        self,
        work: Coroutine[Any, Any, None],
        refuse: Callable[[BrokerError], None],
        name: str,
    ) -> None:
        """Do the work of a request beside the commands that follow; `refuse` tells its failure."""
        self._requests.begin(work, refuse, name)

    # Holding back.

    def hold(self, reason: Hashable) -> None:
        """Stop reading until all reasons are gone."""
        if not self._holds and self._transport is not None and not self.closed:
            self._transport.pause_reading()
        self._holds.add(reason)

    def release(self, reason: Hashable) -> None:
        """One reason is gone."""
        if reason not in self._holds:
            return
        self._holds.discard(reason)
        if not self._holds and self._transport is not None and not self.closed:
            self._liveness.heard = True  # it could not be heard meanwhile
            self._transport.resume_reading()

    @property
    def held(self) -> bool:
        """Whether reading is held."""
        return bool(self._holds)

    @property
    def taken_bytes(self) -> int | None:
        """What the peer took since it fell behind with reading; None if it did not.

        None of a web client of this process either, which cannot be lost: it reads nothing while
        its WebSocket does not, and would get all anew if it were cut off for that.
        """
        if OUTPUT not in self._holds or self._transport is None:
            return None
        if self._transport.get_extra_info("in_process", False):
            return None
        return self._paused_bytes - self._transport.get_write_buffer_size()

    def held_for(self, reason: Hashable) -> bool:
        """Whether reading is held for this reason."""
        return reason in self._holds

    def publishes_ended(self, count: int, size_bytes: int) -> None:
        """So many messages have their receipts or errors."""
        self.publishes.ended(self, count, size_bytes)

    # Producers closed by the broker.

    def drop_producer(self, producer: Producer) -> None:
        """Forget a producer that the broker closed; what its client had sent by then is ignored."""
        if self.forget_producer(producer):
            self._dropped_producers[producer.producer_id] = 2

    def forget_producer(self, producer: Producer) -> bool:
        """Have no such producer any more; False if it was gone already."""
        if self.producers.get(producer.producer_id) is not producer:
            return False
        del self.producers[producer.producer_id]
        return True

    def was_dropped(self, producer_id: int) -> bool:
        """Whether the broker closed this producer within the last keep-alive interval."""
        return producer_id in self._dropped_producers

    # Life.

    def keep_alive_tick(self, connected: bool) -> None:
        """One keep-alive interval has passed since the last call, or since the connection began.

        A peer that is held back cannot be heard; it is judged by what it takes if it is held for
        that, and not at all otherwise.
        """
        if self.closed:
            self.abort()
            return
        self._age_dropped_producers()
        self._liveness.tick(self, connected=connected)

    def _age_dropped_producers(self) -> None:
        aged = {key: ticks - 1 for key, ticks in self._dropped_producers.items() if ticks > 1}
        self._dropped_producers = aged

    async def check_alive(self) -> bool:
        """PING the peer; False (and the connection gone) if nothing comes back in time."""
        return await self._liveness.check(self)
