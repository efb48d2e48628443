"""Several things at once, each to its end, whatever becomes of the others."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, Protocol


class Opening(Protocol):
    """What is opened: a producer or consumer of one topic."""

    async def open(self, timeout_s: float) -> None:
        """Raises PulsarException."""

    async def close(self) -> None:
        """Have the broker forget it."""

    def leave(self) -> None:
        """The same at once, without waiting for the answer."""


async def all_done(actions: Sequence[Awaitable[Any]]) -> None:
    """Do all to their ends; the first error is raised then."""
    results = await asyncio.gather(*actions, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def open_all(parts: Sequence[Opening], timeout_s: float) -> None:
    """Open all or none: what was opened beside an error is closed before that is raised."""
    try:
        results = await asyncio.gather(
            *[part.open(timeout_s) for part in parts], return_exceptions=True
        )
    except BaseException:
        for part in parts:
            part.leave()
        raise
    errors = [each for each in results if isinstance(each, BaseException)]
    if errors:
        await close_all(parts)
        raise errors[0]


async def close_all(parts: Sequence[Opening]) -> None:
    """Close all; cancelled, they end all the same, and nobody waits for the broker's answers."""
    try:
        await asyncio.gather(*[part.close() for part in parts])
    finally:
        for part in parts:
            part.leave()
