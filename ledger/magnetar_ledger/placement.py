"""Which bookies a new ensemble is made of."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final, Protocol

from magnetar_metadata.errors import MetadataError

from magnetar_ledger.errors import LedgerMetadataError, NotEnoughBookiesError

DEFAULT_RACK: Final = "/default-rack"


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


class RackAwarePlacement:
    """Spreads an ensemble over racks, neighbours in it first: a write set is made of neighbours."""

    def __init__(
        self,
        writable: Callable[[], Awaitable[Sequence[str]]],
        racks: Callable[[], Awaitable[Mapping[str, str]]],
        *,
        min_racks: int = 1,
    ) -> None:
        """Args:
        writable: who takes entries now.
        racks: racks by bookie id, as `BookieRacks.racks`; others stand in the default rack.
        min_racks: of an ensemble, below which there are too few bookies; smaller ensembles need
            a rack for each member.
        """
        self._writable = writable
        self._racks = racks
        self._min_racks = min_racks

    async def choose(
        self,
        count: int,
        avoided: Collection[str],
        rng: random.Random,
        *,
        kept: Sequence[str] = (),
    ) -> tuple[str, ...]:
        writable = await ask_writable(self._writable)
        try:
            racks = await self._racks()
        except MetadataError as error:
            raise LedgerMetadataError(f"racks of bookies: {error}") from error
        chosen = spread(writable, racks, count, {*avoided, *kept}, kept, rng)
        found = {racks.get(bookie, DEFAULT_RACK) for bookie in (*chosen, *kept)}
        if len(found) < min(self._min_racks, count + len(kept)):
            raise NotEnoughBookiesError(f"{self._min_racks} racks needed, {len(found)} found")
        return chosen


def spread(
    candidates: Sequence[str],
    racks: Mapping[str, str],
    count: int,
    avoided: Collection[str],
    kept: Sequence[str],
    rng: random.Random,
) -> tuple[str, ...]:
    """`count` of the candidates, each from a rack that has the fewest bookies so far and is not
    that of the one before, if it can be.
    """
    shuffled = list(choose_bookies(candidates, count, avoided, rng))
    shuffled += sorted(set(candidates).difference(avoided, shuffled), key=lambda _: rng.random())
    used = Counter(racks.get(bookie, DEFAULT_RACK) for bookie in kept)
    chosen: list[str] = []
    last = ""
    for _ in range(count):
        ranks = {b: racks.get(b, DEFAULT_RACK) for b in shuffled}
        best = min(shuffled, key=lambda b: (used[ranks[b]], ranks[b] == last))
        shuffled.remove(best)
        chosen.append(best)
        last = ranks[best]
        used[last] += 1
    return tuple(chosen)


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
