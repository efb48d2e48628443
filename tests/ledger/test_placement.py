"""Ensembles are made of different, eligible bookies."""

import random
from collections import Counter

import pytest
from magnetar_ledger.errors import NotEnoughBookiesError
from magnetar_ledger.placement import RandomPlacement, choose_bookies

BOOKIES = ["a", "b", "c", "d"]


def test_all_eligible_bookies_are_chosen_alike() -> None:
    rng = random.Random(1)
    chosen = Counter(b for _ in range(300) for b in choose_bookies(BOOKIES, 2, {"d"}, rng))
    assert chosen.keys() == {"a", "b", "c"}
    assert min(chosen.values()) > 150


def test_no_bookie_twice() -> None:
    assert sorted(choose_bookies([*BOOKIES, "a"], 4, (), random.Random(1))) == BOOKIES


def test_too_few() -> None:
    with pytest.raises(NotEnoughBookiesError, match="2 bookies needed, 1 of 4"):
        choose_bookies(BOOKIES, 2, {"a", "b", "c"}, random.Random(1))


async def test_placement_asks_who_is_writable_now() -> None:
    writable = ["a"]

    async def ask() -> list[str]:
        return writable

    placement = RandomPlacement(ask)
    assert await placement.choose(1, (), random.Random(1)) == ("a",)
    writable = ["b"]
    assert await placement.choose(1, (), random.Random(1)) == ("b",)
