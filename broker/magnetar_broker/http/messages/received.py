"""Messages as consumers over HTTP get them, and what they say of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson

from magnetar_broker.http.messages.bodies import BodyError
from magnetar_broker.http.messages.consumer_session import EARLIEST, LATEST, Position
from magnetar_broker.http.websocket.frames import iso_time, message_object
from magnetar_broker.inner_client.message_ids import MessageIdError, id_of, id_text
from magnetar_broker.inner_client.opened import Message

if TYPE_CHECKING:
    from magnetar_proto import pulsar_api_pb2 as api

_MOST_IDS: Final = 100_000


def text_object(message: Message, *, base64: bool) -> dict[str, Any]:
    """A message as JSON has it: `payload` as text if it is one, else Base64 and so said.

    Args:
        base64: always in Base64.
    """
    found = message_object(message)
    found["topic"] = message.topic
    if not base64:
        try:
            found["payload"] = message.body.decode()
            return found
        except UnicodeDecodeError:
            pass  # no text: it stays in Base64
    found["payloadEncoding"] = "base64"
    return found


def raw_headers(message: Message) -> dict[str, str]:
    """What stands beside the bare bytes of a message."""
    headers = {
        "X-Message-Id": id_text(message.id),
        "X-Publish-Time": iso_time(message.publish_time_ms),
        "X-Redelivery-Count": str(message.redelivery_count),
    }
    if message.properties:
        headers["X-Properties"] = str(orjson.dumps(_ascii(dict(message.properties))), "ascii")
    if message.key is not None:
        headers["X-Key"] = str(orjson.dumps(_ascii(message.key)), "ascii")
    return headers


def _ascii(value: Any) -> Any:
    """Headers hold no other characters, nor ends of lines."""
    if isinstance(value, dict):
        return {_ascii(key): _ascii(each) for key, each in value.items()}
    return value.encode("ascii", "backslashreplace").decode()


def read_ids(body: bytes) -> list[api.MessageIdData]:
    """Ids: a JSON list of them or of messages, an object with `messageIds`, or a line for each.

    Raises:
        BodyError: it is none of these.
    """
    try:
        texts = _texts(body)
        if len(texts) > _MOST_IDS:
            raise BodyError(f"{len(texts)} ids; {_MOST_IDS} is the most")
        return [id_of(text) for text in texts]
    except (MessageIdError, UnicodeDecodeError) as error:
        raise BodyError(str(error)) from error


def _texts(body: bytes) -> Sequence[str]:
    stripped = body.strip()
    if stripped[:1] not in (b"[", b"{", b'"'):
        return stripped.decode().split()
    try:
        found = orjson.loads(stripped)
    except orjson.JSONDecodeError as error:
        raise BodyError(f"The body is not JSON: {error}") from error
    if isinstance(found, dict):
        found = found.get("messageIds") or found.get("messages") or [found]
    rows = found if isinstance(found, list) else [found]
    texts = [row.get("messageId") if isinstance(row, dict) else row for row in rows]
    ids = [text for text in texts if isinstance(text, str)]
    if len(ids) < len(texts):
        raise BodyError('The body has to be a list of ids, such as ["CAUQAA=="]')
    return ids


def read_position(body: bytes) -> Position:
    """Where to go on: `{"position": "earliest"}` or latest, `{"messageId": ...}`, or
    `{"timestamp": ms}`. Raises BodyError."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyError(f"The body is not JSON: {error}") from error
    if isinstance(found, dict):
        time_ms, text = found.get("timestamp"), found.get("messageId")
        if isinstance(time_ms, int) and 0 <= time_ms < 1 << 63:
            return time_ms
        if found.get("position") in ("earliest", "latest"):
            return EARLIEST if found["position"] == "earliest" else LATEST
        if isinstance(text, str):
            return _place(text)
    raise BodyError('The body has to be {"position": "earliest"}, "messageId" or "timestamp"')


def _place(text: str) -> api.MessageIdData:
    try:
        return id_of(text)
    except MessageIdError as error:
        raise BodyError(str(error)) from error
