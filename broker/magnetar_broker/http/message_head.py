"""An entry as the admin API answers it: the body, with what Pulsar says of it in headers."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from aiohttp import web
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.errors import PayloadError
from magnetar_proto.payloads import parse_metadata
from magnetar_proto.texts import clean_text

from magnetar_broker.inner_client.compression import decompress
from magnetar_broker.inner_client.opened import texts_of

if TYPE_CHECKING:
    from magnetar_ledger.position import Position

MOST_BYTES: Final = 64 * 1024 * 1024
"""A body that says it is longer in the clear is answered as it is stored."""


def entry_answer(position: Position, payload: bytes) -> web.Response:
    """The answer for an entry; what cannot be read of it is given as it is."""
    headers = {"X-Pulsar-Message-ID": f"{position.ledger_id}:{position.entry_id}"}
    try:
        metadata, begin = parse_metadata(payload)
    except PayloadError:
        return web.Response(body=payload, content_type="application/octet-stream", headers=headers)
    body = payload[begin:]
    if metadata.compression != api.CompressionType.NONE and not metadata.encryption_keys:
        try:
            body = decompress(
                metadata.compression, body, metadata.uncompressed_size, most_bytes=MOST_BYTES
            )
        except PayloadError:
            headers["X-Pulsar-Body"] = "compressed"  # ours: a library is missing, or it is damaged
    headers |= _headers(metadata, payload)
    clean = {name: _one_line(value) for name, value in headers.items()}
    return web.Response(body=body, content_type="application/json", headers=clean)


def _headers(metadata: api.MessageMetadata, payload: bytes) -> dict[str, str]:
    properties = texts_of(metadata.properties)
    headers = {
        "X-Pulsar-PROPERTY": json.dumps(properties, separators=(",", ":")),
        "X-Pulsar-publish-time": _time(metadata.publish_time),
        "X-Pulsar-Is-Encrypted": _flag(bool(metadata.encryption_keys)),
        "X-Pulsar-producer-name": clean_text(metadata.producer_name),
        "X-Pulsar-sequence-id": str(metadata.sequence_id),
        "X-Pulsar-txn-uncommitted": "false",
    }
    if metadata.event_time:
        headers["X-Pulsar-event-time"] = _time(metadata.event_time)
    if metadata.deliver_at_time:
        headers["X-Pulsar-deliver-at-time"] = _time(metadata.deliver_at_time)
    if metadata.HasField("num_messages_in_batch"):
        count = metadata.num_messages_in_batch
        headers["X-Pulsar-num-batch-message"] = str(count)
        headers["X-Pulsar-batch-size"] = str(_body_bytes(metadata, payload))
    return headers | _optional(metadata)


def _optional(metadata: api.MessageMetadata) -> dict[str, str]:
    headers = {}
    if metadata.HasField("compression"):
        headers["X-Pulsar-compression"] = api.CompressionType.Name(metadata.compression)
    if metadata.HasField("uncompressed_size"):
        headers["X-Pulsar-uncompressed-size"] = str(metadata.uncompressed_size)
    if metadata.HasField("partition_key"):
        headers["X-Pulsar-partition-key"] = clean_text(metadata.partition_key)
    if metadata.HasField("partition_key_b64_encoded"):
        encoded = _flag(metadata.partition_key_b64_encoded)
        headers["X-Pulsar-partition-key-b64-encoded"] = encoded
    if metadata.HasField("ordering_key"):
        key = base64.b64encode(metadata.ordering_key).decode()
        headers["X-Pulsar-Base64-ordering-key"] = key
    if metadata.HasField("schema_version"):
        version = base64.b64encode(metadata.schema_version).decode()
        headers["X-Pulsar-Base64-schema-version"] = version
    if metadata.HasField("replicated_from"):
        headers["X-Pulsar-replicated-from"] = clean_text(metadata.replicated_from)
    if metadata.HasField("null_value"):
        headers["X-Pulsar-null-value"] = _flag(metadata.null_value)
    if metadata.HasField("marker_type"):
        headers["X-Pulsar-marker-type"] = str(metadata.marker_type)
    return headers


def _body_bytes(metadata: api.MessageMetadata, payload: bytes) -> int:
    return len(payload) - parse_metadata(payload)[1]


def _time(time_ms: int) -> str:
    """As Java writes an instant in UTC; a time that no calendar has as milliseconds."""
    try:
        text = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return str(time_ms)
    whole, _, rest = text.removesuffix("+00:00").partition(".")
    fraction = rest.rstrip("0")
    return f"{whole}.{fraction}Z" if fraction else f"{whole}Z"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _one_line(value: str) -> str:
    """What a header can hold: producers may have put anything in."""
    return "".join(each if each.isprintable() else "?" for each in value)
