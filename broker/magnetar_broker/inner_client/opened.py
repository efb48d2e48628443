"""An entry opened: the messages that its producer put into it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.batches import split_batch
from magnetar_proto.errors import PayloadError
from magnetar_proto.payloads import check_payload, parse_metadata
from magnetar_proto.texts import clean_text

from magnetar_broker.inner_client.compression import decompress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


@dataclass(slots=True)
class Message:
    """One message for a web client.

    Attributes:
        id: Its place, with the index in its batch.
        topic: Of the consumer that got it.
        key: As text, if it was given as text or is none; `key_base64` if it was given as bytes.
        encryption: The metadata of a message whose body nobody here can read; None if it is clear.
    """

    id: api.MessageIdData
    topic: str
    body: bytes
    properties: Mapping[str, str]
    publish_time_ms: int
    event_time_ms: int
    redelivery_count: int
    key: str | None
    key_is_base64: bool
    producer_name: str
    sequence_id: int
    encryption: api.MessageMetadata | None = None

    @property
    def size_bytes(self) -> int:
        """About what it takes in memory."""
        return len(self.body) + 300


def messages_of(
    command: api.CommandMessage, payload: bytes, topic: str, *, most_bytes: int
) -> list[Message]:
    """The messages of an entry that are not acked yet, in order.

    Args:
        most_bytes: of a body in the clear.

    Raises:
        PayloadError: it is damaged, or cannot be decompressed here.
    """
    if not check_payload(payload):
        raise PayloadError("the checksum of an entry is wrong")
    metadata, start = parse_metadata(payload)
    body = payload[start:]
    count = metadata.num_messages_in_batch if metadata.HasField("num_messages_in_batch") else 0
    if metadata.encryption_keys:
        return [_single(command, metadata, body, topic, encrypted=True)]
    clear = decompress(
        metadata.compression, body, metadata.uncompressed_size, most_bytes=most_bytes
    )
    if not count:
        return [_single(command, metadata, clear, topic, encrypted=False)]
    return list(_of_batch(command, metadata, clear, count, topic))


def _single(
    command: api.CommandMessage,
    metadata: api.MessageMetadata,
    body: bytes,
    topic: str,
    *,
    encrypted: bool,
) -> Message:
    has_key = metadata.HasField("partition_key")
    return Message(
        id=_id_of(command.message_id),
        topic=topic,
        body=body,
        properties=texts_of(metadata.properties),
        publish_time_ms=metadata.publish_time,
        event_time_ms=metadata.event_time,
        redelivery_count=command.redelivery_count,
        key=clean_text(metadata.partition_key) if has_key else None,
        key_is_base64=metadata.partition_key_b64_encoded,
        producer_name=clean_text(metadata.producer_name),
        sequence_id=metadata.sequence_id,
        encryption=metadata if encrypted else None,
    )


def _of_batch(
    command: api.CommandMessage,
    metadata: api.MessageMetadata,
    clear: bytes,
    count: int,
    topic: str,
) -> Iterator[Message]:
    wanted = _unacked(command.ack_set, count)
    for index, (single, body) in enumerate(split_batch(clear, count)):
        if single.compacted_out or not wanted >> index & 1:
            continue
        has_key = single.HasField("partition_key")
        yield Message(
            id=_id_of(command.message_id, index, count),
            topic=topic,
            body=body,
            properties=texts_of(single.properties),
            publish_time_ms=metadata.publish_time,
            event_time_ms=single.event_time,
            redelivery_count=command.redelivery_count,
            key=clean_text(single.partition_key) if has_key else None,
            key_is_base64=single.partition_key_b64_encoded,
            producer_name=clean_text(metadata.producer_name),
            sequence_id=single.sequence_id or metadata.sequence_id + index,
        )


def texts_of(pairs: Iterable[api.MessageProperty]) -> dict[str, str]:
    """Properties as texts, whatever their producer put in."""
    return {clean_text(pair.key): clean_text(pair.value) for pair in pairs}


def _unacked(ack_set: Sequence[int], count: int) -> int:
    """The messages of a batch that are wanted, one bit each; all if nothing is said."""
    if not ack_set:
        return (1 << count) - 1
    return sum((word & (1 << 64) - 1) << 64 * place for place, word in enumerate(ack_set))


def _id_of(place: api.MessageIdData, index: int = -1, count: int = 0) -> api.MessageIdData:
    """As Pulsar's clients write it: what is not said is left out."""
    found = api.MessageIdData(ledgerId=place.ledgerId, entryId=place.entryId)
    found.partition = place.partition
    if count:
        found.batch_index = index
        found.batch_size = count
    return found
