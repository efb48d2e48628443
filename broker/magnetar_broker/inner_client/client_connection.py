"""The client's end of a connection to a broker: requests, and the frames for who sits on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final, Protocol, cast

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.errors import FrameError
from magnetar_proto.frames import Frame, FrameSplitter, encode_command

from magnetar_broker.errors import BrokerError, ServiceNotReadyError
from magnetar_broker.inner_client.answers_in import refused

log = logging.getLogger(__name__)

CLIENT_VERSION: Final = "Magnetar-HTTP"
PROTOCOL_VERSION: Final = 21
_BUFFER_BYTES: Final = 64 * 1024
"""Each web client has such a buffer, and many stay long; larger frames get a block of their own."""
_PING: Final = encode_command(api.CommandPing())
_PONG: Final = encode_command(api.CommandPong())
_COMMAND: Final = api.BaseCommand


class ProducerSeat(Protocol):
    """Gets the answers for one producer id."""

    def receipts(self, receipts: Sequence[api.CommandSendReceipt]) -> None:
        """Messages are stored, in the order of their sending."""

    def send_failed(self, error: api.CommandSendError) -> None: ...

    def detached(self) -> None:
        """The broker closed the producer, or the connection is lost."""


class ConsumerSeat(Protocol):
    """Gets what is sent to one consumer id."""

    def entry(self, message: api.CommandMessage, payload: bytes) -> None: ...

    def end_of_topic_reached(self) -> None: ...

    def detached(self) -> None:
        """The broker closed the consumer, or the connection is lost."""


class ClientConnection(asyncio.BufferedProtocol):
    """Make it, connect it to a pipe or a socket, `greet`.

    Attributes:
        producers, consumers: Who sits here, by id.
        closed: Nothing is sent any more.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, max_frame_bytes: int) -> None:
        self.producers: dict[int, ProducerSeat] = {}
        self.consumers: dict[int, ConsumerSeat] = {}
        self.closed = False
        self._loop = loop
        self._splitter = FrameSplitter(max_frame_bytes, buffer_bytes=_BUFFER_BYTES)
        self._transport: asyncio.Transport | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._greeting: asyncio.Future[Any] = loop.create_future()
        self._last_id = 0
        self._held = False
        self._heard = True
        self._timer: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._output: list[bytes] = []
        self._receipts: dict[int, list[api.CommandSendReceipt]] = {}

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._splitter.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        self._heard = True
        try:
            frames = self._splitter.buffer_updated(nbytes)
        except FrameError as error:
            log.warning("a broker does not keep to the protocol: %s", error)
            frames = error.frames
            self.close()
        for frame in frames:
            self._take(frame)
        if self._receipts:
            self._hand_out_receipts()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._forget_all()

    def _forget_all(self) -> None:
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._writable.set()
        lost = ServiceNotReadyError("The connection to the broker is lost; retry")
        waiting, self._waiting = self._waiting, {}
        for future in (self._greeting, *waiting.values()):
            if not future.done():
                future.set_exception(lost)
                future.exception()  # somebody may have given up waiting
        seats: list[ProducerSeat | ConsumerSeat] = [
            *self.producers.values(),
            *self.consumers.values(),
        ]
        self.producers, self.consumers = {}, {}
        for seat in seats:
            seat.detached()

    # What comes in.

    def _take(self, frame: Frame) -> None:
        kind, message, payload = frame
        if kind == _COMMAND.MESSAGE:
            consumer = self.consumers.get(message.consumer_id)
            if consumer is not None and payload is not None:
                consumer.entry(message, payload)
        elif kind == _COMMAND.SEND_RECEIPT:
            self._receipts.setdefault(message.producer_id, []).append(message)
        elif kind == _COMMAND.PING:
            self.send(_PONG)
        elif kind == _COMMAND.CONNECTED:
            self._settle(self._greeting, message)
        elif kind in (_COMMAND.SEND_ERROR, _COMMAND.CLOSE_PRODUCER):
            self._tell_producer(kind, message)
        elif kind in (_COMMAND.CLOSE_CONSUMER, _COMMAND.REACHED_END_OF_TOPIC):
            self._tell_consumer(kind, message)
        else:
            self._answer(kind, message)

    def _hand_out_receipts(self) -> None:
        receipts, self._receipts = self._receipts, {}
        for producer_id, run in receipts.items():
            if producer_id in self.producers:
                self.producers[producer_id].receipts(run)

    def _tell_producer(self, kind: int, message: Any) -> None:
        self._hand_out_receipts()  # they came before
        if kind == _COMMAND.SEND_ERROR:
            if message.producer_id in self.producers:
                self.producers[message.producer_id].send_failed(message)
            return
        seat = self.producers.pop(message.producer_id, None)
        if seat is not None:
            seat.detached()

    def _tell_consumer(self, kind: int, message: Any) -> None:
        if kind == _COMMAND.REACHED_END_OF_TOPIC:
            if message.consumer_id in self.consumers:
                self.consumers[message.consumer_id].end_of_topic_reached()
            return
        seat = self.consumers.pop(message.consumer_id, None)
        if seat is not None:
            seat.detached()

    def _answer(self, kind: int, message: Any) -> None:
        if kind == _COMMAND.PRODUCER_SUCCESS and not message.producer_ready:
            return  # it waits for its topic; a second answer follows
        future = self._waiting.pop(getattr(message, "request_id", 0), None)
        if future is None:
            if kind == _COMMAND.ERROR and not self._greeting.done():
                self._greeting.set_exception(refused(message.error, message.message))
            return
        failure = _failure_in(kind, message)
        if failure is None:
            self._settle(future, message)
        elif not future.done():
            future.set_exception(failure)

    @staticmethod
    def _settle(future: asyncio.Future[Any], message: Any) -> None:
        if not future.done():
            future.set_result(message)

    # What goes out.

    async def greet(self) -> None:
        """CONNECT. Raises BrokerError if the broker does not take this client."""
        self.send(
            encode_command(
                api.CommandConnect(client_version=CLIENT_VERSION, protocol_version=PROTOCOL_VERSION)
            )
        )
        await self._greeting

    def next_id(self) -> int:
        """An id that nothing on this connection has."""
        self._last_id += 1
        return self._last_id

    async def request(self, command: Any, timeout_s: float) -> Any:
        """Send a command that is answered; its `request_id` is set here.

        Raises:
            BrokerError: it is refused, or not answered in time.
        """
        if self.closed:
            raise ServiceNotReadyError("The connection to the broker is lost; retry")
        command.request_id = request_id = self.next_id()
        future = self._waiting[request_id] = self._loop.create_future()
        self.send(encode_command(command))
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError as error:
            kind = type(command).__name__
            raise ServiceNotReadyError(f"{kind} was not answered in {timeout_s} s") from error
        finally:
            self._waiting.pop(request_id, None)

    def send(self, data: bytes) -> None:
        """Write with all else that is sent in this turn of the loop."""
        if self.closed:
            return
        if not self._output:
            self._loop.call_soon(self._flush)
        self._output.append(data)

    def _flush(self) -> None:
        output, self._output = self._output, []
        if output and self._transport is not None:
            self._transport.write(b"".join(output))

    async def writable(self) -> None:
        """Wait while the broker takes nothing."""
        await self._writable.wait()

    def hold(self) -> None:
        """Take nothing that the broker sends until `release`."""
        if self._transport is not None and not self.closed and not self._held:
            self._held = True
            self._transport.pause_reading()

    def release(self) -> None:
        """Take again what comes."""
        if self._transport is not None and not self.closed and self._held:
            self._held = False
            self._heard = True  # what came meanwhile is read only now
            self._transport.resume_reading()

    # Life and end.

    def keep_alive(self, interval_s: float) -> None:
        """PING so often from now on; a broker that is silent for two intervals is given up.

        Scenario: its machine loses power. No RST comes, and who only waits would wait for ever.
        """
        self._timer = self._loop.call_later(interval_s, self._keep_alive, interval_s)

    def _keep_alive(self, interval_s: float) -> None:
        if not self._heard and not self._held:
            log.info("a broker gave no sign of life and is given up")
            self._abort()
            return
        self._heard = False
        self.send(_PING)
        self.keep_alive(interval_s)

    def _abort(self) -> None:
        self._output.clear()
        if self._transport is not None:
            self._transport.abort()
        self._forget_all()

    def close(self) -> None:
        """Send what waits and end; who sits here is told that it is detached."""
        if self.closed:
            return
        self._flush()
        if self._transport is not None:
            self._transport.close()
        self._forget_all()


def _failure_in(kind: int, message: Any) -> BrokerError | None:
    """What an answer says of its request's failure."""
    if kind == _COMMAND.ERROR:
        return refused(message.error, message.message)
    if kind == _COMMAND.LOOKUP_RESPONSE:
        failed = message.response == api.CommandLookupTopicResponse.Failed
        return refused(message.error, message.message) if failed else None
    if kind == _COMMAND.PARTITIONED_METADATA_RESPONSE:
        failed = message.response == api.CommandPartitionedTopicMetadataResponse.Failed
        return refused(message.error, message.message) if failed else None
    return None
