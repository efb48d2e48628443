"""Which bookies a new ensemble is made of."""

import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

from magnetar_metadata.errors import MetadataError

from magnetar_ledger.errors import LedgerMetadataError, NotEnoughBookiesError


class Placement(Protocol):
    """Chooses bookies for ensembles."""

    async def choose(
        self,
        count: int,
        avoided: Collection[str],
        rng: random.Random,
        *,
        kept: Sequence[str] = (),
    ) -> tuple[str, ...]:
        """`count` different bookies that take entries, none of them avoided or kept.

        Args:
            kept: members of the ensemble that stay, whose racks need not be chosen again.

        Raises:
            NotEnoughBookiesError, LedgerMetadataError
        """


class RandomPlacement:
    """Every writable bookie is as good as any other."""

    def __init__(self, writable: Callable[[], Awaitable[Sequence[str]]]) -> None:
        """`writable` asks who takes entries now, as `BookieRegistry.writable` does."""
        self._writable = writable

    async def choose(
        self,
        count: int,
        avoided: Collection[str],
        rng: random.Random,
        *,
        kept: Sequence[str] = (),
    ) -> tuple[str, ...]:
        writable = await ask_writable(self._writable)
        return choose_bookies(writable, count, {*avoided, *kept}, rng)


async def ask_writable(writable: Callable[[], Awaitable[Sequence[str]]]) -> Sequence[str]:
    """Raises LedgerMetadataError."""
    try:
        return await writable()
    except MetadataError as error:
        raise LedgerMetadataError(f"which bookies are there: {error}") from error


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
