"""Calls run at once up to the bound, and the first error ends all."""

import asyncio

import pytest
from magnetar_metadata.errors import UnknownOutcomeError
from magnetar_metadata.together import AT_ONCE, all_of, in_parts


async def test_results_come_in_order_and_the_bound_holds() -> None:
    running = most = 0

    async def double(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return number * 2

    numbers = range(AT_ONCE * 2 + 5)
    assert await all_of(numbers, double) == [number * 2 for number in numbers]
    assert most == AT_ONCE


async def test_the_first_error_is_raised() -> None:
    async def fail(number: int) -> None:
        if number == 3:
            raise ValueError(number)
        await asyncio.sleep(60)

    with pytest.raises(ValueError, match="3"):
        await all_of(range(10), fail)


async def test_a_store_that_is_away_is_told_once() -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async def fail(number: int) -> None:
        if number < 5:
            await asyncio.sleep(0)
            raise UnknownOutcomeError(f"/{number}", "away")
        await asyncio.sleep(60)

    with pytest.raises(UnknownOutcomeError, match="/0"):
        await all_of(range(10), fail)
    assert told == []


def test_parts() -> None:
    assert [len(part) for part in in_parts(range(AT_ONCE + 1))] == [AT_ONCE, 1]
    assert list(in_parts([])) == []
