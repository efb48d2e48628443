"""Ensembles are made of different, eligible bookies."""

import random
from collections import Counter
from itertools import pairwise

import pytest
from magnetar_ledger.errors import LedgerMetadataError, NotEnoughBookiesError
from magnetar_ledger.placement import RackAwarePlacement, RandomPlacement, choose_bookies, spread
from magnetar_metadata.errors import UnknownOutcomeError

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
    with pytest.raises(NotEnoughBookiesError):
        await placement.choose(1, (), random.Random(1), kept=["b"])


RACKS = {"a": "r1", "b": "r1", "c": "r1", "d": "r2", "e": "r2", "f": "r3"}


def test_an_ensemble_is_spread_over_racks() -> None:
    firsts = Counter[str]()
    for seed in range(200):
        rng = random.Random(seed)
        chosen = spread(list(RACKS), RACKS, 3, (), (), rng)
        firsts[chosen[0]] += 1
        assert sorted(RACKS[b] for b in chosen) == ["r1", "r2", "r3"]
        five = [RACKS[b] for b in spread(list(RACKS), RACKS, 5, (), (), rng)]
        assert all(one != next_one for one, next_one in pairwise(five))
    assert firsts.keys() == RACKS.keys()


def test_a_replacement_comes_from_a_rack_that_is_not_there_yet() -> None:
    for seed in range(50):
        rng = random.Random(seed)
        (chosen,) = spread(list(RACKS), RACKS, 1, ["d", "a", "f"], ["a", "f"], rng)
        assert chosen == "e"


def test_one_rack_is_enough_if_there_is_no_other() -> None:
    assert sorted(spread(["a", "b", "x"], RACKS, 3, (), (), random.Random(1))) == ["a", "b", "x"]


async def test_racks_can_be_asked_for() -> None:
    writable = ["a", "b", "c"]

    async def ask() -> list[str]:
        return writable

    async def racks() -> dict[str, str]:
        return RACKS

    placement = RackAwarePlacement(ask, racks, min_racks=2)
    rng = random.Random(1)
    with pytest.raises(NotEnoughBookiesError, match="2 racks needed, 1 found"):
        await placement.choose(2, (), rng)
    assert await placement.choose(1, ["a", "b"], rng) == ("c",)
    writable.append("d")
    assert "d" in await placement.choose(2, (), rng)
    assert await placement.choose(1, (), rng, kept=["a"]) == ("d",)


async def test_a_store_that_does_not_answer_is_an_error_of_this_package() -> None:
    async def lost() -> list[str]:
        raise UnknownOutcomeError("/ledgers/available")

    async def lost_racks() -> dict[str, str]:
        raise UnknownOutcomeError("/bookies")

    async def one() -> list[str]:
        return ["a"]

    for placement in (RandomPlacement(lost), RackAwarePlacement(one, lost_racks)):
        with pytest.raises(LedgerMetadataError):
            await placement.choose(1, (), random.Random(1))
