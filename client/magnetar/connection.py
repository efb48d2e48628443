"""One connection to a broker: requests with their answers, and what comes unasked.

Frames are cut and handled in one pass per received chunk, without a task. What is sent in one turn
of the loop leaves in one write.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.errors import ProtocolError
from magnetar_proto.frames import Frame, FrameSplitter, encode_command
from magnetar_proto.varints import NONE
from magnetar_runtime.scope import TaskScope

from magnetar.authentication import Authentication
from magnetar.errors import ConnectError, PulsarException, error_of
from magnetar.requests import Requests

log = logging.getLogger(__name__)

PROTOCOL_VERSION: Final = 21
CLIENT_VERSION: Final = "Magnetar-Python-0.1.0"
FRAME_PADDING_BYTES: Final = 10 * 1024
MAX_WRITE_BUFFER_BYTES: Final = 1 << 20
_FIRST_MAX_MESSAGE_BYTES: Final = 5 * 1024 * 1024
_LARGE_PART_BYTES: Final = 1 << 14

_Kind = api.BaseCommand.Type
_MESSAGE: Final = int(api.BaseCommand.MESSAGE)
_SEND_RECEIPT: Final = int(api.BaseCommand.SEND_RECEIPT)
_PONG: Final = encode_command(api.CommandPong())
_PING: Final = encode_command(api.CommandPing())


class ProducerLink(Protocol):
    """What a connection tells a producer."""

    def receipt(self, sequence_id: int, ledger_id: int, entry_id: int) -> None: ...
    def send_error(self, sequence_id: int, error: PulsarException) -> None: ...
    def link_lost(self, connection: "Connection") -> None:
        """The broker closed it, or the connection ended: it must look the topic up again."""


class ConsumerLink(Protocol):
    """What a connection tells a consumer."""

    def message(self, command: api.CommandMessage, payload: bytes) -> None: ...
    def active_changed(self, active: bool) -> None: ...
    def end_of_topic(self) -> None: ...
    def ack_response(self, command: api.CommandAckResponse) -> None: ...
    def link_lost(self, connection: "Connection") -> None:
        """As for producers."""


class Connection(asyncio.BufferedProtocol):
    """A connection, once `connect` has returned.

    Args:
        name: of the broker, for messages to people.
        keep_alive_interval_ms: PING after this; without a sign of life by the next it is given up.
        on_closed: told once, when it has ended.

    Attributes:
        max_message_bytes: the largest payload that the broker takes.
        server_version: what the broker calls itself.
        producers, consumers: by the ids that they were opened with.
        closed: Nothing can be sent any more.
    """

    def __init__(
        self,
        name: str,
        authentication: Authentication,
        keep_alive_interval_ms: int,
        scope: TaskScope,
        on_closed: Callable[["Connection"], None],
    ) -> None:
        self.name = name
        self.max_message_bytes = _FIRST_MAX_MESSAGE_BYTES
        self.server_version = ""
        self.producers: dict[int, ProducerLink] = {}
        self.consumers: dict[int, ConsumerLink] = {}
        self.closed = False
        self._authentication = authentication
        self._keep_alive_s = keep_alive_interval_ms / 1000
        self._scope = scope
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._splitter = FrameSplitter(_FIRST_MAX_MESSAGE_BYTES + FRAME_PADDING_BYTES)
        self._transport: asyncio.Transport | None = None
        self._output: list[bytes] = []
        self._requests = Requests(name, self.send)
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._heard = True
        self._timer: asyncio.TimerHandle | None = None
        self._error: PulsarException | None = None

    # Opening.

    async def handshake(self, proxy_to_broker_url: str | None = None) -> None:
        """Say who this is, and wait until the broker agrees.

        Raises:
            AuthenticationError, AuthorizationError, ConnectError: it does not.
        """
        connect = api.CommandConnect(
            client_version=CLIENT_VERSION,
            protocol_version=PROTOCOL_VERSION,
            feature_flags=api.FeatureFlags(supports_auth_refresh=True),
        )
        if self._authentication.method:
            connect.auth_method_name = self._authentication.method
            connect.auth_data = await self._authentication.data()
        if proxy_to_broker_url:
            connect.proxy_to_broker_url = proxy_to_broker_url
        self.send(encode_command(connect))
        await self._connected
        self._timer = self._loop.call_later(self._keep_alive_s, self._keep_alive)

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._splitter.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        self._heard = True
        try:
            self._handle(self._splitter.buffer_updated(nbytes))
        except ProtocolError as error:
            self.abort(ConnectError(f"{self.name} sent what is not the protocol: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        reason = f": {exc}" if exc else ""
        self._end(self._error or ConnectError(f"connection to {self.name} lost{reason}"))

    def _handle(self, frames: list[Frame]) -> None:
        for kind, command, payload in frames:
            if kind == _MESSAGE:
                consumer = self.consumers.get(command.consumer_id)
                if consumer is not None and payload is not None:
                    consumer.message(command, payload)
            elif kind == _SEND_RECEIPT:
                producer = self.producers.get(command.producer_id)
                if producer is not None:
                    place = command.message_id
                    producer.receipt(command.sequence_id, place.ledgerId, place.entryId)
            elif self.closed:
                return
            elif handler := _HANDLERS.get(kind):
                handler(self, command)
            else:
                # A command of a later protocol: nothing that was asked for.
                log.debug("%s sent command %d, which is not known here", self.name, kind)

    # Out.

    def send(self, data: bytes) -> None:
        """Append to what leaves with the one write of this turn."""
        if self.closed:
            return
        if not self._output:
            self._loop.call_soon(self._flush)
        self._output.append(data)

    def _flush(self) -> None:
        parts, self._output = self._output, []
        if self._transport is None or not parts:
            return
        if len(parts) == 1:
            self._transport.write(parts[0])
        elif max(map(len, parts)) >= _LARGE_PART_BYTES:
            self._transport.writelines(parts)
        else:
            self._transport.write(b"".join(parts))

    def next_request_id(self) -> int:
        """An id that no request of this connection had."""
        return self._requests.next_id()

    async def request(self, command: Any, what: str, timeout_s: float) -> Any:
        """Send a command that has a `request_id`, and wait for its answer.

        Args:
            command: the id is set here.
            what: it asks for, for messages to people.

        Raises:
            PulsarException: the broker refuses, the connection ends, or no answer comes in time.
        """
        if self.closed:
            raise self._error or ConnectError(f"connection to {self.name} is closed")
        return await self._requests.ask(command, what, timeout_s)

    # Answers.

    def _on_answer(self, command: Any) -> None:
        self._requests.answer(command)

    def _on_checked(self, command: Any) -> None:
        self._requests.answer_or_refuse(command)

    def _on_error(self, command: api.CommandError) -> None:
        if self._requests.refuse(command.request_id, command.error, command.message):
            return
        if not self._connected.done() or command.request_id == NONE:
            self.abort(error_of(command.error, f"connection to {self.name}", command.message))

    def _on_producer_success(self, command: api.CommandProducerSuccess) -> None:
        if command.producer_ready:
            self._requests.answer(command)
        else:
            # It waits for the topic to be its own, for as long as that takes.
            self._requests.wait_on(command.request_id)

    # Unasked.

    def _on_connected(self, command: api.CommandConnected) -> None:
        self.server_version = command.server_version
        if command.max_message_size > 0:
            self.max_message_bytes = command.max_message_size
            self._splitter.max_frame_bytes = command.max_message_size + FRAME_PADDING_BYTES
        if not self._connected.done():
            self._connected.set_result(None)

    def _on_ping(self, command: api.CommandPing) -> None:
        self.send(_PONG)

    def _on_pong(self, command: api.CommandPong) -> None:
        pass  # whatever comes counts as a sign of life

    def _on_auth_challenge(self, command: api.CommandAuthChallenge) -> None:
        self._scope.spawn(self._prove_again(), name=f"new proof for {self.name}")

    async def _prove_again(self) -> None:
        try:
            data = await self._authentication.data()
        except PulsarException as error:
            self.abort(error)
            return
        response = api.CommandAuthResponse(
            client_version=CLIENT_VERSION,
            response=api.AuthData(auth_method_name=self._authentication.method, auth_data=data),
            protocol_version=PROTOCOL_VERSION,
        )
        self.send(encode_command(response))

    def _on_send_error(self, command: api.CommandSendError) -> None:
        producer = self.producers.get(command.producer_id)
        if producer is not None:
            error = error_of(command.error, f"message {command.sequence_id}", command.message)
            producer.send_error(command.sequence_id, error)

    def _on_close_producer(self, command: api.CommandCloseProducer) -> None:
        producer = self.producers.pop(command.producer_id, None)
        if producer is not None:
            producer.link_lost(self)

    def _on_close_consumer(self, command: api.CommandCloseConsumer) -> None:
        consumer = self.consumers.pop(command.consumer_id, None)
        if consumer is not None:
            consumer.link_lost(self)

    def _on_ack_response(self, command: api.CommandAckResponse) -> None:
        consumer = self.consumers.get(command.consumer_id)
        if consumer is not None:
            consumer.ack_response(command)

    def _on_active_change(self, command: api.CommandActiveConsumerChange) -> None:
        consumer = self.consumers.get(command.consumer_id)
        if consumer is not None:
            consumer.active_changed(command.is_active)

    def _on_end_of_topic(self, command: api.CommandReachedEndOfTopic) -> None:
        consumer = self.consumers.get(command.consumer_id)
        if consumer is not None:
            consumer.end_of_topic()

    # Life and end.

    def _keep_alive(self) -> None:
        if not self._heard:
            self.abort(ConnectError(f"{self.name} gave no sign of life and is given up"))
            return
        self._heard = False
        self.send(_PING)
        self._timer = self._loop.call_later(self._keep_alive_s, self._keep_alive)

    def close(self) -> None:
        """Send what waits, then close; nobody who is attached is told."""
        self.producers.clear()
        self.consumers.clear()
        self._flush()
        if self._transport is not None:
            self._transport.close()
        self._end(ConnectError(f"connection to {self.name} was closed"))

    def abort(self, error: PulsarException) -> None:
        """Close at once; whoever waits or is attached learns of it now."""
        self._error = self._error or error
        if self._transport is not None:
            self._transport.abort()
        self._end(error)

    def _end(self, error: PulsarException) -> None:
        if self.closed:
            return
        self.closed = True
        self._error = error
        self._output.clear()
        if self._timer is not None:
            self._timer.cancel()
        if not self._connected.done():
            self._connected.set_exception(error)
            self._connected.exception()  # it may be that nobody waits any more
        self._requests.fail_all(error)
        self._on_closed(self)
        links: list[ProducerLink | ConsumerLink] = [
            *self.producers.values(),
            *self.consumers.values(),
        ]
        self.producers.clear()
        self.consumers.clear()
        for link in links:
            link.link_lost(self)


_HANDLERS: Final[dict[int, Callable[[Connection, Any], None]]] = {
    api.BaseCommand.CONNECTED: Connection._on_connected,
    api.BaseCommand.SUCCESS: Connection._on_answer,
    api.BaseCommand.ERROR: Connection._on_error,
    api.BaseCommand.PRODUCER_SUCCESS: Connection._on_producer_success,
    api.BaseCommand.LOOKUP_RESPONSE: Connection._on_checked,
    api.BaseCommand.PARTITIONED_METADATA_RESPONSE: Connection._on_checked,
    api.BaseCommand.GET_LAST_MESSAGE_ID_RESPONSE: Connection._on_answer,
    api.BaseCommand.GET_TOPICS_OF_NAMESPACE_RESPONSE: Connection._on_answer,
    api.BaseCommand.GET_SCHEMA_RESPONSE: Connection._on_checked,
    api.BaseCommand.GET_OR_CREATE_SCHEMA_RESPONSE: Connection._on_checked,
    api.BaseCommand.CONSUMER_STATS_RESPONSE: Connection._on_checked,
    api.BaseCommand.PING: Connection._on_ping,
    api.BaseCommand.PONG: Connection._on_pong,
    api.BaseCommand.AUTH_CHALLENGE: Connection._on_auth_challenge,
    api.BaseCommand.SEND_ERROR: Connection._on_send_error,
    api.BaseCommand.CLOSE_PRODUCER: Connection._on_close_producer,
    api.BaseCommand.CLOSE_CONSUMER: Connection._on_close_consumer,
    api.BaseCommand.ACK_RESPONSE: Connection._on_ack_response,
    api.BaseCommand.ACTIVE_CONSUMER_CHANGE: Connection._on_active_change,
    api.BaseCommand.REACHED_END_OF_TOPIC: Connection._on_end_of_topic,
}
