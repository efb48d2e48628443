"""The JSON of WebSocket frames, in the words of Pulsar's API."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import orjson
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.texts import clean_text

from magnetar_broker.http.websocket.parameters import COMPRESSIONS
from magnetar_broker.inner_client.message_ids import id_text
from magnetar_broker.inner_client.opened import texts_of
from magnetar_broker.inner_client.outgoing import Outgoing, delivery_time_ms

if TYPE_CHECKING:
    from magnetar_broker.inner_client.opened import Message


class SocketErrorCode(IntEnum):
    """What Pulsar answers to a message that was not stored."""

    CREATE_PRODUCER = 1
    SUBSCRIBE = 2
    READ_JSON = 3
    WRITE_JSON = 4
    AUTHENTICATION = 5
    AUTHORIZATION = 6
    PAYLOAD_ENCODING = 7
    UNKNOWN = 8


class FrameTextError(ValueError):
    """A frame that cannot be understood.

    Attributes:
        code: How it is answered.
        context: That of the frame, if it could be read so far.
    """

    def __init__(self, code: SocketErrorCode, text: str, context: str | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.context = context


def read_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object. Raises FrameTextError."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FrameTextError(
            SocketErrorCode.READ_JSON, f"The frame is not JSON: {error}"
        ) from error
    if not isinstance(found, dict):
        raise FrameTextError(SocketErrorCode.READ_JSON, "The frame is not a JSON object")
    return found


# To a producer's socket, and back.


def read_send(text: str | bytes, wall_ms: Callable[[], int]) -> tuple[Outgoing, str | None]:
    """The message and the context of a frame. Raises FrameTextError.

    Args:
        wall_ms: the time, for a message that is to be delivered later.
    """
    frame = read_object(text)
    context = _text(frame, "context")
    payload = frame.get("payload")
    if not isinstance(payload, str):
        raise FrameTextError(SocketErrorCode.PAYLOAD_ENCODING, "The frame has no payload", context)
    try:
        body = b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        text_of = f"Invalid Base64 message-payload error={error}"
        raise FrameTextError(SocketErrorCode.PAYLOAD_ENCODING, text_of, context) from error
    if len(frame) == 1:
        return Outgoing(body), None
    message = Outgoing(
        body,
        key=_text(frame, "key"),
        properties=_properties(frame),
        event_time_ms=_event_time(frame),
        sequence_id=_number(frame, "sequenceId", -1),
        deliver_at_ms=_deliver_at(frame, wall_ms),
        replicate_to=_replicate_to(frame),
    )
    if frame.get("encryptionParam") is not None or frame.get("compressionType") is not None:
        message.encrypted = _encrypted(frame)
    return message, context


def _wrong(name: str, wanted: str) -> FrameTextError:
    return FrameTextError(SocketErrorCode.READ_JSON, f"{name} has to be {wanted}")


def _text(frame: Mapping[str, Any], name: str) -> str | None:
    value = frame.get(name)
    if isinstance(value, bool | int | float):
        return str(orjson.dumps(value), "ascii")  # as Jackson reads a number into a text
    if value is not None and not isinstance(value, str):
        raise _wrong(name, "a text")
    return value


def _number(frame: Mapping[str, Any], name: str, default: int) -> int:
    value = frame.get(name)
    if value is None:
        return default
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) <= 20:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -1 <= value < 1 << 63:
        raise _wrong(name, "a number that is not negative")
    return value


def _properties(frame: Mapping[str, Any]) -> dict[str, str]:
    found = frame.get("properties")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _wrong("properties", "an object of texts")
    texts = {key: _text(found, key) for key in found}
    return {key: value for key, value in texts.items() if value is not None}


def _event_time(frame: Mapping[str, Any]) -> int:
    text = _text(frame, "eventTime")
    if not text:
        return 0
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise _wrong("eventTime", "a time such as 2025-01-02T03:04:05.678Z") from error
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(int(when.timestamp() * 1000 + 0.5), 0)


def _deliver_at(frame: Mapping[str, Any], wall_ms: Callable[[], int]) -> int:
    at_ms, after_ms = _number(frame, "deliverAt", 0), _number(frame, "deliverAfterMs", 0)
    now_ms = wall_ms() if after_ms else 0
    return delivery_time_ms(now_ms, at_ms=at_ms, after_ms=after_ms)


def _replicate_to(frame: Mapping[str, Any]) -> list[str] | None:
    if frame.get("disableReplication") is True:
        return ["__local__"]
    clusters = frame.get("replicationClusters")
    if clusters is None:
        return None
    if not isinstance(clusters, list) or not all(isinstance(each, str) for each in clusters):
        raise _wrong("replicationClusters", "a list of texts")
    return clusters or None


def _encrypted(frame: Mapping[str, Any]) -> api.MessageMetadata:
    """What the sender did to the body by himself: it is passed on as it is."""
    metadata = api.MessageMetadata(producer_name="", sequence_id=0, publish_time=0)
    for name in ("producer_name", "sequence_id", "publish_time"):
        metadata.ClearField(name)
    name = _text(frame, "compressionType") or "NONE"
    if name not in COMPRESSIONS:
        raise _wrong("compressionType", f"one of {', '.join(COMPRESSIONS)}")
    if COMPRESSIONS[name]:
        metadata.compression = COMPRESSIONS[name]
        metadata.uncompressed_size = _number(frame, "uncompressedMessageSize", 0) & 0xFFFFFFFF
    given = frame.get("encryptionParam")
    if given is None:
        return metadata
    if not isinstance(given, dict) or not isinstance(given.get("keys"), dict):
        raise _wrong("encryptionParam", "an object with keys")
    try:
        metadata.encryption_param = b64decode(_text(given, "param") or "", validate=True)
        for key, value in given["keys"].items():
            _add_key(metadata, key, value)
    except (binascii.Error, ValueError, TypeError, AttributeError) as error:
        raise _wrong("encryptionParam", "keys and a param in Base64") from error
    if given.get("algorithm") is not None:
        metadata.encryption_algo = _text(given, "algorithm") or ""
    return metadata


def _add_key(metadata: api.MessageMetadata, name: str, given: Any) -> None:
    if not isinstance(given, dict):
        raise TypeError(name)
    added = metadata.encryption_keys.add(key=name)
    added.value = b64decode(_text(given, "keyValue") or "", validate=True)
    for key, value in (given.get("metadata") or {}).items():
        added.metadata.add(key=key, value=str(value))


def stored(message_id: str, context: str | None) -> str:
    """A message is stored."""
    if context is None:
        return f'{{"result":"ok","messageId":"{message_id}","errorCode":0,"schemaVersion":0}}'
    return _dumped({"result": "ok", "messageId": message_id, "context": context} | _NO_ERROR)


_NO_ERROR: Final = {"errorCode": 0, "schemaVersion": 0}


def not_stored(code: SocketErrorCode, text: str, context: str | None) -> str:
    """A message is not stored, or not certainly."""
    answer: dict[str, Any] = {"result": f"send-error:{int(code)}", "errorMsg": text}
    if context is not None:
        answer["context"] = context
    return _dumped(answer | _NO_ERROR)  # the code stands in `result` alone, as in Pulsar


# To the socket of a consumer or reader.


def message_text(message: Message) -> str:
    """A message for a consumer."""
    return _dumped(message_object(message))


def message_object(message: Message) -> dict[str, Any]:
    """A message as JSON has it, its body in Base64."""
    found: dict[str, Any] = {
        "messageId": id_text(message.id),
        "payload": b64encode(message.body).decode(),
        "properties": dict(message.properties),
        "publishTime": iso_time(message.publish_time_ms),
        "redeliveryCount": message.redelivery_count,
    }
    if message.event_time_ms:
        found["eventTime"] = iso_time(message.event_time_ms)
    if message.encryption is not None:
        found["encryptionContext"] = _encryption_context(message.encryption)
    if message.key is not None:
        found["key"] = message.key
    return found


def iso_time(time_ms: int) -> str:
    """A time of messages as text, in UTC."""
    seconds, millis = divmod(min(time_ms, _LAST_MS), 1000)
    fraction = f".{millis:03d}".rstrip(".0")  # as Java writes it
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


_LAST_MS: Final = 253_402_300_799_999
"""The end of the year 9999; later times cannot be written."""


def _encryption_context(metadata: api.MessageMetadata) -> dict[str, Any]:
    keys = {
        clean_text(each.key): {
            "keyValue": b64encode(each.value).decode(),
            "metadata": texts_of(each.metadata),
        }
        for each in metadata.encryption_keys
    }
    return {
        "keys": keys,
        "param": b64encode(metadata.encryption_param).decode(),
        "algorithm": clean_text(metadata.encryption_algo),
        "compressionType": api.CompressionType.Name(metadata.compression),
        "uncompressedMessageSize": metadata.uncompressed_size,
        "batchSize": metadata.num_messages_in_batch
        if metadata.HasField("num_messages_in_batch")
        else None,
    }


def end_of_topic(*, ended: bool) -> str:
    """The answer to the question whether a message will ever follow."""
    return _dumped({"endOfTopic": ended})


def _dumped(value: Mapping[str, Any]) -> str:
    return str(orjson.dumps(value), "utf-8")
