"""Messages on their way to a topic: what a web client gives, and the entry that is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol, cast

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.batches import SingleMessage, join_batch
from magnetar_proto.payloads import encode_payload
from magnetar_proto.sends import plain_single, with_checksum
from magnetar_proto.varints import varint

from magnetar_broker.inner_client.compression import compress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from magnetar_broker.errors import BrokerError

DEFAULT: Final = -1
_HEAD_BYTES: Final = 96
"""What a batch has in front of its messages at most, beside the name of its producer."""
_SINGLE_BYTES: Final = 48
"""What a message of a batch takes at most, beside its body and texts."""
_TEXT_BYTES: Final = 12
"""What stands in front of a text at most; of every second one of properties that of the pair."""
_LAST_DELIVERY_MS: Final = 2**63 - 1
"""The latest time that an entry can be delivered at."""


class SendSink(Protocol):
    """Hears what became of messages; `token` is what the sender gave with each."""

    def stored(self, tokens: Sequence[int], ledger_id: int, entry_id: int, partition: int) -> None:
        """An entry is stored, with one message or, in this order, those of a batch."""

    def not_stored(self, token: int, error: BrokerError) -> None: ...


def delivery_time_ms(now_ms: int, *, at_ms: int = 0, after_ms: int) -> int:
    """When a message is to be delivered, by a time or else by a delay; 0 is at once."""
    if at_ms > 0:
        return at_ms
    return min(now_ms + after_ms, _LAST_DELIVERY_MS) if after_ms > 0 else 0


@dataclass(slots=True)
class Outgoing:
    """One message.

    Attributes:
        sequence_id: -1 leaves it to the producer.
        deliver_at_ms: 0 is at once.
        replicate_to: Clusters; None leaves it to the namespace.
        encrypted: What its sender says of a body that it encrypted; None if it is clear.
    """

    body: bytes
    key: str | None = None
    key_is_base64: bool = False
    properties: Mapping[str, str] = field(default_factory=dict)
    event_time_ms: int = 0
    sequence_id: int = DEFAULT
    deliver_at_ms: int = 0
    replicate_to: Sequence[str] | None = None
    encrypted: api.MessageMetadata | None = None

    @property
    def plain(self) -> bool:
        """Whether it carries nothing beside its body."""
        return (
            not self.properties
            and self.key is None
            and not self.event_time_ms
            and not self.deliver_at_ms
            and self.replicate_to is None
            and self.encrypted is None
        )

    @property
    def most_bytes(self) -> int:
        """What it takes in a batch at most."""
        size_bytes = len(self.body) + _SINGLE_BYTES
        if self.key is not None:
            size_bytes += _TEXT_BYTES + _most_bytes(self.key)
        for key, value in self.properties.items():
            size_bytes += 2 * _TEXT_BYTES + _most_bytes(key) + _most_bytes(value)
        return size_bytes

    @property
    def batchable(self) -> bool:
        """Whether it may share an entry with others."""
        return not self.deliver_at_ms and self.replicate_to is None and self.encrypted is None


def entry_of(
    message: Outgoing,
    *,
    producer_name: str,
    sequence_id: int,
    publish_time_ms: int,
    compression: int,
) -> bytes:
    """An entry with one message."""
    if not compression and message.plain:
        head = _name_field(producer_name) + varint(sequence_id) + _time_field(publish_time_ms)
        return with_checksum(head, message.body)
    metadata = api.MessageMetadata(
        producer_name=producer_name, sequence_id=sequence_id, publish_time=publish_time_ms
    )
    if message.encrypted is not None:
        metadata.MergeFrom(message.encrypted)
    _describe(metadata, message)
    if message.deliver_at_ms:
        metadata.deliver_at_time = message.deliver_at_ms
    if message.replicate_to is not None:
        metadata.replicate_to.extend(message.replicate_to)
    body = message.body
    if compression and message.encrypted is None:
        metadata.compression = cast(api.CompressionType, compression)
        metadata.uncompressed_size = len(body)
        body = compress(compression, body)
    return encode_payload(metadata, body)


@lru_cache(maxsize=1024)
def _name_field(producer_name: str) -> bytes:
    """With the key of the sequence id, which follows."""
    name = producer_name.encode()
    return b"\x0a" + varint(len(name)) + name + b"\x10"


@lru_cache(maxsize=8)
def _time_field(publish_time_ms: int) -> bytes:
    return b"\x18" + varint(publish_time_ms)


def most_head_bytes(producer_name: str) -> int:
    """What a batch has in front of its messages at most."""
    return _HEAD_BYTES + _most_bytes(producer_name)


def _most_bytes(text: str) -> int:
    # Not encoded for this: a letter has up to four bytes.
    return len(text) if text.isascii() else 4 * len(text)


def entry_of_batch(
    messages: Sequence[tuple[Outgoing, int]],
    *,
    producer_name: str,
    publish_time_ms: int,
    compression: int,
) -> bytes:
    """An entry with several messages, each with its sequence id."""
    body = _body_of_batch(messages)
    metadata = api.MessageMetadata(
        producer_name=producer_name,
        sequence_id=messages[0][1],
        highest_sequence_id=messages[-1][1],
        publish_time=publish_time_ms,
        num_messages_in_batch=len(messages),
    )
    if compression:
        metadata.compression = cast(api.CompressionType, compression)
        metadata.uncompressed_size = len(body)
        body = compress(compression, body)
    return encode_payload(metadata, body)


def _body_of_batch(messages: Sequence[tuple[Outgoing, int]]) -> bytes:
    parts: list[bytes] = []
    for message, sequence_id in messages:
        if message.plain:
            parts += (plain_single(len(message.body), sequence_id), message.body)
        else:
            parts.append(join_batch([_single(message, sequence_id)]))
    return b"".join(parts)


def _single(message: Outgoing, sequence_id: int) -> SingleMessage:
    metadata = api.SingleMessageMetadata(payload_size=0, sequence_id=sequence_id)
    _describe(metadata, message)
    return metadata, message.body


def _describe(metadata: api.MessageMetadata | api.SingleMessageMetadata, message: Outgoing) -> None:
    for key, value in message.properties.items():
        metadata.properties.add(key=key, value=value)
    if message.key is not None:
        metadata.partition_key = message.key
        metadata.partition_key_b64_encoded = message.key_is_base64
    if message.event_time_ms:
        metadata.event_time = message.event_time_ms
