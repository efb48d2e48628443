"""Messages as lines of a terminal, of a pipe, or as JSON. No loop, no output."""

import base64
import json
from typing import Any, Final

from magnetar import Message

FORMATS: Final = ("auto", "content", "line", "json")
"""What `-o` takes; auto is "line" on a terminal and "content" in a pipe."""


def line_of(message: Message, form: str) -> bytes:
    """One message as one line, without its end; content may have line ends of its own."""
    if form == "content":
        return message.data()
    if form == "json":
        return json.dumps(facts_of(message), ensure_ascii=False).encode()
    parts = [str(message.message_id())]
    if message.has_partition_key():
        parts.append(f"key={message.partition_key()}")
    parts += [f"{name}={value}" for name, value in sorted(message.properties().items())]
    if message.redelivery_count():
        parts.append(f"redelivered={message.redelivery_count()}")
    return f"[{' '.join(parts)}] ".encode() + message.data()


def facts_of(message: Message) -> dict[str, Any]:
    """A message for JSON; content that is no text is base64, under a name of its own."""
    facts: dict[str, Any] = {
        "id": str(message.message_id()),
        "id_base64": base64.b64encode(message.message_id().serialize()).decode(),
        "topic": message.topic_name(),
        "publish_time_ms": message.publish_timestamp(),
        "producer": message.producer_name(),
        "properties": message.properties(),
    }
    if message.has_partition_key():
        facts["key"] = message.partition_key()
    if message.event_timestamp():
        facts["event_time_ms"] = message.event_timestamp()
    if message.redelivery_count():
        facts["redelivery_count"] = message.redelivery_count()
    try:
        facts["content"] = message.data().decode()
    except UnicodeDecodeError:
        facts["content_base64"] = base64.b64encode(message.data()).decode()
    return facts
