"""How HTTP requests are answered: JSON, and errors as `{"reason": ...}`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from magnetar_broker.errors import (
    OUTSIDE_ERRORS,
    AdminError,
    BrokerError,
    ConsumerAssignFailedError,
    ConsumerBusyError,
    InvalidSubscriptionNameError,
    InvalidTopicNameError,
    MalformedRequestError,
    NoSuchPartitionError,
    NotAllowedError,
    NotAuthorizedError,
    PartitionCountError,
    PreconditionError,
    ProducerBusyError,
    ProducerFencedError,
    ServiceNotReadyError,
    SubscriptionNotFoundError,
    TooManyRequestsError,
    TooManyTopicsError,
    TopicBusyError,
    TopicConflictError,
    TopicNotFoundError,
    TopicTerminatedError,
    as_broker_error,
)


class BadRequestError(ValueError):
    """What a request says cannot be: 400."""


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
    (ProducerBusyError, 409),
    (ProducerFencedError, 409),
    (ConsumerBusyError, 409),
    (ConsumerAssignFailedError, 409),
    (TopicTerminatedError, 409),
    (NotAllowedError, 405),
    (NotAuthorizedError, 403),
    (ServiceNotReadyError, 503),
    (TooManyRequestsError, 429),
)


def status_of(error: BrokerError) -> int:
    """The HTTP status by which a refusal is told."""
    if isinstance(error, AdminError):
        return error.status
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
    except BadRequestError as error:
        return refusal(400, str(error))
    except OUTSIDE_ERRORS as error:
        told = as_broker_error(error)
        return refusal(status_of(told), str(told))
    except web.HTTPRedirection:
        raise  # with where to go
    except web.HTTPException as error:
        return refusal(error.status, error.reason)


_NAMES_OF_RECORDS: Final = ("cluster", "tenant", "namespace")


def check_parts(request: web.Request) -> None:
    """Raise PreconditionError if a part of the path cannot be a name in metadata.

    Scenario: a tenant called `public%2Fdefault` would be the record of a namespace.
    """
    for part, value in request.match_info.items():
        if value in (".", "..") or (part in _NAMES_OF_RECORDS and "/" in value):
            raise PreconditionError(f"'{value}' is no {part}")


async def json_body(request: web.Request) -> Any:
    """The body; None if it is empty.

    Raises:
        web.HTTPUnsupportedMediaType: it is not said to be JSON.
        web.HTTPBadRequest: it is not JSON.
    """
    body = await request.read()
    if not body.strip():
        return None
    if "json" not in request.content_type:
        raise web.HTTPUnsupportedMediaType
    try:
        value = json.loads(body.decode())
        if b"\\ud" in body.lower():  # half a pair of surrogates is no text that could be stored
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except (ValueError, RecursionError) as error:
        raise web.HTTPBadRequest(reason="The body is not JSON") from error


def flag(request: web.Request, name: str, *, default: bool = False) -> bool:
    """A boolean of the query, as Java reads it."""
    value = request.query.get(name)
    return default if value is None else value.lower() == "true"


def properties_in(body: Any) -> dict[str, str]:
    """A body of names and texts.

    Raises:
        MalformedRequestError: it is something else.
    """
    if not isinstance(body, dict) or not all(isinstance(each, str) for each in body.values()):
        raise MalformedRequestError("The body is an object of names and texts")
    return body
