"""Messages on their way out: their bytes, alone, in a batch or in chunks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final, Protocol, cast

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.sends import plain_single, send_head, with_checksum
from magnetar_proto.varints import varint

_pack_size: Final = Struct(">I").pack

Compress = Callable[[bytes], bytes]


class Waiter(Protocol):
    """Who waits for a receipt: an `asyncio.Future`, or what stands for a callback."""

    def done(self) -> bool: ...
    def set_result(self, result: Any, /) -> None: ...
    def set_exception(self, exception: Any, /) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MessageOptions:
    """What a message carries beside its content."""

    properties: Mapping[str, str] | None = None
    partition_key: str | None = None
    ordering_key: bytes | None = None
    replicate_to: Sequence[str] = ()
    event_timestamp: int | None = None
    deliver_at_ms: int | None = None
    null_value: bool = False

    @property
    def alone(self) -> bool:
        """Whether it must not be in a batch."""
        return self.deliver_at_ms is not None or bool(self.replicate_to)

    @property
    def batch_key(self) -> bytes | None:
        """What decides about the consumer of a key-shared subscription."""
        if self.ordering_key:
            return self.ordering_key
        return self.partition_key.encode() if self.partition_key is not None else None


class Send:
    """One SEND frame and who waits for its receipt.

    Attributes:
        sequence_id, highest_sequence_id: of its first and last message.
        head, payload: the frame in two parts.
        waiters: of its messages, in order.
        deadline_s: when waiting ends, in the loop's time; 0 is never.
        chunks: what the chunks of one message share; None if it is whole.
    """

    __slots__ = (
        "batch_size",
        "chunks",
        "content_bytes",
        "deadline_s",
        "head",
        "highest_sequence_id",
        "payload",
        "sequence_id",
        "waiters",
    )

    def __init__(
        self,
        producer_id: int,
        sequence_id: int,
        payload: bytes,
        waiters: Sequence[Waiter],
        deadline_s: float,
        content_bytes: int,
        *,
        highest_sequence_id: int = -1,
        batch_size: int = 0,
        chunks: "ChunkedMessage | None" = None,
    ) -> None:
        self.sequence_id = sequence_id
        self.highest_sequence_id = sequence_id if highest_sequence_id < 0 else highest_sequence_id
        self.head = send_head(
            producer_id,
            sequence_id,
            len(payload),
            batch_size,
            self.highest_sequence_id if batch_size else -1,
            is_chunk=chunks is not None,
        )
        self.payload = payload
        self.waiters = waiters
        self.deadline_s = deadline_s
        self.content_bytes = content_bytes
        self.batch_size = batch_size
        self.chunks = chunks


class ChunkedMessage:
    """What the chunks of one message share.

    Attributes:
        first: ledger and entry of the first chunk, when its receipt is there.
    """

    __slots__ = ("first",)

    def __init__(self) -> None:
        self.first: tuple[int, int] | None = None


class PayloadEncoder:
    """Makes payloads of one producer.

    Args:
        producer_name: stands in each of them.
        compression: `CompressionType`, with `compress` to do it.
        schema_version: of the producer's schema, empty if it has none.
    """

    def __init__(
        self, producer_name: str, compression: int, compress: Compress, schema_version: bytes
    ) -> None:
        name = producer_name.encode()
        self._producer_name = producer_name
        self._compression = compression
        self._compress = compress
        self._schema_version = schema_version
        # Fields in the order of their numbers: name; compression; schema version.
        self._prefix = b"\x0a" + varint(len(name)) + name + b"\x10"
        self._time_ms = -1
        self._time = b""
        self._compressed = b"\x40" + varint(compression) + b"\x48"
        self._suffix = (
            b"\x82\x01" + varint(len(schema_version)) + schema_version if schema_version else b""
        )

    def compress(self, content: bytes) -> bytes:
        """The content as it is sent."""
        return self._compress(content) if self._compression else content

    def plain(self, sequence_id: int, now_ms: int, content: bytes) -> bytes:
        """A message that carries nothing beside its content."""
        if now_ms != self._time_ms:
            self._time_ms, self._time = now_ms, b"\x18" + varint(now_ms)
        metadata = self._prefix + varint(sequence_id) + self._time
        if self._compression:
            metadata += self._compressed + varint(len(content))
            content = self._compress(content)
        return with_checksum(metadata + self._suffix, content)

    def metadata(
        self, sequence_id: int, now_ms: int, uncompressed_bytes: int
    ) -> api.MessageMetadata:
        """Metadata with what all messages carry."""
        metadata = api.MessageMetadata(
            producer_name=self._producer_name, sequence_id=sequence_id, publish_time=now_ms
        )
        if self._compression:
            metadata.compression = cast(Any, self._compression)
            metadata.uncompressed_size = uncompressed_bytes
        if self._schema_version:
            metadata.schema_version = self._schema_version
        return metadata

    def batch(
        self,
        first_sequence_id: int,
        last_sequence_id: int,
        now_ms: int,
        count: int,
        body: bytes,
        options: MessageOptions | None,
    ) -> bytes:
        """A payload of several messages; `options` has the key that all of them have, if any."""
        metadata = self.metadata(first_sequence_id, now_ms, len(body))
        metadata.num_messages_in_batch = count
        metadata.highest_sequence_id = last_sequence_id
        if options is not None:
            if options.partition_key is not None:
                metadata.partition_key = options.partition_key
            if options.ordering_key:
                metadata.ordering_key = options.ordering_key
        return with_checksum(metadata.SerializeToString(), self.compress(body))


def set_options(metadata: api.MessageMetadata, options: MessageOptions) -> None:
    """Write what a message carries into its metadata."""
    _set_common(metadata, options)
    if options.replicate_to:
        metadata.replicate_to.extend(options.replicate_to)
    if options.deliver_at_ms is not None:
        metadata.deliver_at_time = options.deliver_at_ms


def _set_common(
    metadata: api.MessageMetadata | api.SingleMessageMetadata, options: MessageOptions
) -> None:
    if options.properties:
        for key, value in options.properties.items():
            metadata.properties.add(key=key, value=value)
    if options.partition_key is not None:
        metadata.partition_key = options.partition_key
    if options.ordering_key:
        metadata.ordering_key = options.ordering_key
    if options.event_timestamp is not None:
        metadata.event_time = options.event_timestamp
    if options.null_value:
        metadata.null_value = True


def batched(content: bytes, sequence_id: int, options: MessageOptions | None) -> bytes:
    """A message as it stands in a batch, its head alone: the content follows."""
    if options is None:
        return plain_single(len(content), sequence_id)
    metadata = api.SingleMessageMetadata(payload_size=len(content), sequence_id=sequence_id)
    _set_common(metadata, options)
    data = metadata.SerializeToString()
    return _pack_size(len(data)) + data
