"""How HTTP requests are answered: JSON, and errors as `{"reason": ...}`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from magnetar_broker.errors import (
    OUTSIDE_ERRORS,
    BrokerError,
    InvalidSubscriptionNameError,
    InvalidTopicNameError,
    NoSuchPartitionError,
    NotAllowedError,
    PartitionCountError,
    ServiceNotReadyError,
    SubscriptionNotFoundError,
    TooManyRequestsError,
    TooManyTopicsError,
    TopicBusyError,
    TopicConflictError,
    TopicNotFoundError,
    as_broker_error,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# The first that fits: derived classes stand before their bases.
_STATUS: Final[tuple[tuple[type[BrokerError], int], ...]] = (
    (TopicConflictError, 409),
    (PartitionCountError, 422),
    (TooManyTopicsError, 412),
    (TopicBusyError, 412),
    (NoSuchPartitionError, 412),
    (TopicNotFoundError, 404),
    (SubscriptionNotFoundError, 404),
    (InvalidSubscriptionNameError, 412),
    (InvalidTopicNameError, 412),
    (NotAllowedError, 405),
    (ServiceNotReadyError, 503),
    (TooManyRequestsError, 429),
)


def status_of(error: BrokerError) -> int:
    """The HTTP status by which a refusal is told."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return 500


def refusal(status: int, reason: str) -> web.Response:
    """An error in the form that Pulsar's clients read."""
    return web.json_response({"reason": reason}, status=status)


def done() -> web.Response:
    """Success without data."""
    return web.Response(status=204)


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what a handler raises."""
    try:
        return await handler(request)
    except OUTSIDE_ERRORS as error:
        told = as_broker_error(error)
        return refusal(status_of(told), str(told))
    except web.HTTPRedirection:
        raise  # with where to go
    except web.HTTPException as error:
        return refusal(error.status, error.reason)


async def json_body(request: web.Request) -> Any:
    """The body; None if it is empty.

    Raises:
        web.HTTPUnsupportedMediaType: it is not said to be JSON.
        web.HTTPBadRequest: it is not JSON.
    """
    text = await request.text()
    if not text.strip():
        return None
    if "json" not in request.content_type:
        raise web.HTTPUnsupportedMediaType
    try:
        return json.loads(text)
    except ValueError as error:
        raise web.HTTPBadRequest(reason="The body is not JSON") from error


def flag(request: web.Request, name: str, *, default: bool = False) -> bool:
    """A boolean of the query, as Java reads it."""
    value = request.query.get(name)
    return default if value is None else value.lower() == "true"
