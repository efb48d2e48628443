"""Which bookies a new ensemble is made of."""

import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

from magnetar_ledger.errors import NotEnoughBookiesError


class Placement(Protocol):
    """Chooses bookies for ensembles."""

    async def choose(
        self, count: int, avoided: Collection[str], rng: random.Random
    ) -> tuple[str, ...]:
        """`count` different bookies that take entries, none of them avoided.

        Raises:
            NotEnoughBookiesError
        """


class RandomPlacement:
    """Every writable bookie is as good as any other."""

    def __init__(self, writable: Callable[[], Awaitable[Sequence[str]]]) -> None:
        """`writable` asks who takes entries now, as `BookieRegistry.writable` does."""
        self._writable = writable

    async def choose(
        self, count: int, avoided: Collection[str], rng: random.Random
    ) -> tuple[str, ...]:
        return choose_bookies(await self._writable(), count, avoided, rng)


def choose_bookies(
    candidates: Sequence[str], count: int, avoided: Collection[str], rng: random.Random
) -> tuple[str, ...]:
    """`count` of the candidates in random order, none of the avoided."""
    eligible = sorted(set(candidates).difference(avoided))
    if len(eligible) < count:
        raise NotEnoughBookiesError(
            f"{count} bookies needed, {len(eligible)} of {len(candidates)} writable ones are left"
        )
    return tuple(rng.sample(eligible, count))
