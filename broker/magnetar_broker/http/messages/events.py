"""Server-Sent Events: a stream of messages that a browser reads without a library."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from magnetar_broker.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

_HEARTBEAT_S: Final = 15.0
"""A comment goes out so often when nothing else does, so that a peer that is gone is noticed."""
_WRITE_TIMEOUT_S: Final = 60.0
"""A peer that takes nothing for so long is cut off."""
_MOST: Final = 100
_END: Final = b"event: end\ndata: {}\n\n"

Event = tuple[str, dict[str, Any]]
"""An id and what is told."""


async def stream_events(
    request: web.Request,
    receive: Callable[[int, float], Awaitable[Sequence[Event] | None]],
    told: Callable[[], None],
) -> web.StreamResponse:
    """Send events until the peer goes or there will be no more.

    Args:
        receive: So many at most, within so many seconds; None if none will come any more.
        told: What was received last is written.
    """
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    )
    await response.prepare(request)
    try:
        while (events := await receive(_MOST, _HEARTBEAT_S)) is not None:
            async with asyncio.timeout(_WRITE_TIMEOUT_S):
                await response.write(b"".join(map(_event, events)) or b":\n\n")
            told()
        await response.write(_END)
    except BrokerError as error:  # too late for a status; browsers ask again when a stream ends
        log.info("events of %s end: %s", request.path, error)
    except (ConnectionError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()
    return response


def _event(event: Event) -> bytes:
    name, value = event
    return b"id: " + name.encode() + b"\ndata: " + orjson.dumps(value) + b"\n\n"
