"""Many calls of one kind at once, with a bound."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from magnetar_runtime.scope import TaskScope

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
        async with TaskScope() as scope:
            tasks = [scope.spawn(_awaited(call, argument), name="together") for argument in part]
        results += [task.result() for task in tasks]
    return results


async def _awaited(call: Callable[[ArgumentT], Awaitable[ResultT]], argument: ArgumentT) -> ResultT:
    return await call(argument)
