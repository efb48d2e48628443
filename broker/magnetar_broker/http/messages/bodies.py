"""Bodies of requests that produce, and what is answered; the JSON of Pulsar's REST produce."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from magnetar_broker.http.replies import BadRequestError
from magnetar_broker.inner_client.outgoing import Outgoing, delivery_time_ms

MOST_MESSAGES: Final = 100_000
"""In one request."""
_PLAIN_SCHEMAS: Final = ("STRING", "BYTES", "JSON", "NONE")
"""Schemas whose texts are their bytes."""


class BodyError(BadRequestError):
    """A body that cannot be produced."""


@dataclass(frozen=True, slots=True)
class ProduceRequest:
    """Attributes:
    producer_name: Empty leaves it to the broker.
    batched: Messages may share entries.
    """

    messages: list[Outgoing]
    producer_name: str = ""
    batched: bool = False


def read_request(body: bytes, now_ms: int, *, batched: bool = False) -> ProduceRequest:
    """The messages of a body in Pulsar's form. Raises BodyError."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyError(f"The body is not JSON: {error}") from error
    rows = found.get("messages") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        raise BodyError('The body has to be {"messages": [{"payload": "text"}, ...]}')
    if len(rows) > MOST_MESSAGES:
        raise BodyError(f"{len(rows)} messages; {MOST_MESSAGES} is the most")
    for name in ("keySchema", "valueSchema"):
        _check_schema(name, found.get(name))
    producer_name = found.get("producerName") or ""
    if not isinstance(producer_name, str):
        raise BodyError("producerName has to be a text")
    return ProduceRequest([_message(row, now_ms) for row in rows], producer_name, batched)


def _check_schema(name: str, text: Any) -> None:
    if not text:
        return
    try:
        schema = orjson.loads(text) if isinstance(text, str) else text
        kind = str(schema.get("type", "NONE")).upper()
    except (orjson.JSONDecodeError, AttributeError) as error:
        raise BodyError(f"{name} has to be a text with a JSON object") from error
    if kind not in _PLAIN_SCHEMAS:
        raise BodyError(f"{name}: {kind} is not there yet; {', '.join(_PLAIN_SCHEMAS)} are")


def _message(row: Any, now_ms: int) -> Outgoing:
    payload = row.get("payload") if isinstance(row, dict) else None
    if isinstance(payload, str):
        body = payload.encode("utf-8", "surrogatepass")
    else:
        raise BodyError("Each message has to be an object with a payload, which is a text")
    if len(row) == 1:
        return Outgoing(body)
    return Outgoing(
        body,
        key=_text(row, "key"),
        properties=_properties(row),
        event_time_ms=max(_number(row, "eventTime", 0), 0),
        sequence_id=_number(row, "sequenceId", -1),
        deliver_at_ms=_deliver_at(row, now_ms),
        replicate_to=_replicate_to(row),
    )


def _deliver_at(row: Mapping[str, Any], now_ms: int) -> int:
    at_ms, after_ms = _number(row, "deliverAt", 0), _number(row, "deliverAfterMs", 0)
    return delivery_time_ms(now_ms, at_ms=at_ms, after_ms=after_ms)


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise BodyError(f"{name} has to be a text")
    return value


def _number(row: Mapping[str, Any], name: str, default: int) -> int:
    value = row.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not -1 <= value < 1 << 63:
        raise BodyError(f"{name} has to be a number that is not negative")
    return value


def _properties(row: Mapping[str, Any]) -> dict[str, str]:
    found = row.get("properties")
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise BodyError("properties has to be an object of texts")
    return found


def _replicate_to(row: Mapping[str, Any]) -> list[str] | None:
    if row.get("disableReplication") is True:
        return ["__local__"]
    clusters = row.get("replicationClusters")
    if not clusters:
        return None
    if not isinstance(clusters, list) or not all(isinstance(each, str) for each in clusters):
        raise BodyError("replicationClusters has to be a list of texts")
    return clusters
