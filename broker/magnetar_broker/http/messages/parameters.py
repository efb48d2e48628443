"""What the query says of a consumer over HTTP; names and values are those of the WebSocket API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from magnetar_broker.http.messages.consumer_session import SessionOptions
from magnetar_broker.http.websocket import parameters
from magnetar_broker.http.websocket.parameters import ParameterError, number
from magnetar_broker.subscribe import check_subscription_name

Query = Mapping[str, str]

_MOST_MESSAGES: Final = 10_000
_MOST_BYTES: Final = 8 << 20
_LONGEST_WAIT_MS: Final = 60_000
_DEFAULTS: Final = {"subscriptionType": "Shared", "ackTimeoutMillis": "30000"}
"""Where a client without a library is served better than by the defaults of WebSockets."""


def session_options(query: Query, topic: str, subscription: str, name: str) -> SessionOptions:
    """Raises ParameterError, InvalidSubscriptionNameError."""
    check_subscription_name(subscription)
    given = {**_DEFAULTS, **query, "consumerName": name}
    return SessionOptions(
        parameters.consumer_options(given, subscription),
        parameters.receive_options(given, topic, subscription),
    )


def most_messages(query: Query) -> int:
    """How many messages one answer may hold. Raises ParameterError."""
    most = number(query, "maxMessages", 100, least=1)
    if most > _MOST_MESSAGES:
        raise ParameterError(f"maxMessages is {most}; {_MOST_MESSAGES} is the most")
    return most


def most_bytes(query: Query) -> int:
    """After how many bytes an answer is full. Raises ParameterError."""
    return min(number(query, "maxBytes", 1 << 20, least=1), _MOST_BYTES)


def wait_s(query: Query) -> float:
    """How long the answer may wait for a message. Raises ParameterError."""
    wait_ms = number(query, "waitMillis", 0)
    if wait_ms > _LONGEST_WAIT_MS:
        raise ParameterError(f"waitMillis is {wait_ms}; {_LONGEST_WAIT_MS} is the most")
    return wait_ms / 1000
