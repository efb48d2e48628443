"""Many calls of one kind at once, with a bound."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final, Generic, TypeVar

from magnetar_runtime.scope import TaskScope

from magnetar_metadata.store import MetadataError

AT_ONCE: Final = 128
"""Calls under way."""

ArgumentT = TypeVar("ArgumentT")
ResultT = TypeVar("ResultT")


def in_parts(items: Iterable[ArgumentT]) -> Iterator[Sequence[ArgumentT]]:
    """All items, in parts of those that are called for at once."""
    rest = list(items)
    for start in range(0, len(rest), AT_ONCE):
        yield rest[start : start + AT_ONCE]


async def all_of(
    arguments: Iterable[ArgumentT], call: Callable[[ArgumentT], Awaitable[ResultT]]
) -> list[ResultT]:
    """The results in the order of the arguments. The first error ends all and is raised."""
    results: list[ResultT] = []
    for part in in_parts(arguments):
        results += await _Part(call).results(part)
    return results


class _Part(Generic[ArgumentT, ResultT]):
    """Calls under way at once."""

    def __init__(self, call: Callable[[ArgumentT], Awaitable[ResultT]]) -> None:
        self._call = call
        self._tasks: list[asyncio.Task[ResultT]] = []
        self._error: MetadataError | None = None

    async def results(self, arguments: Sequence[ArgumentT]) -> list[ResultT]:
        async with TaskScope() as scope:
            for argument in arguments:
                self._tasks.append(scope.spawn(self._one(argument), name="together"))
        if self._error is not None:
            raise self._error
        return [task.result() for task in self._tasks]

    async def _one(self, argument: ArgumentT) -> ResultT:
        try:
            return await self._call(argument)
        except MetadataError as error:
            # A store that is away fails them all: one is told, the others are no news.
            if self._error is None:
                self._error = error
                for task in self._tasks:
                    task.cancel()
            raise asyncio.CancelledError from error
