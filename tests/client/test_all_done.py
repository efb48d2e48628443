"""Several things at once: none is left half done."""

import asyncio

import pytest
from magnetar.all_done import all_done, open_all


class Part:
    """Opens after a turn of the loop, or not at all."""

    def __init__(self, error: Exception | None = None, *, stuck: bool = False) -> None:
        self.error = error
        self.stuck = stuck
        self.told: list[str] = []

    async def open(self, timeout_s: float) -> None:
        self.told.append(f"open {timeout_s}")
        await asyncio.sleep(3600 if self.stuck else 0)
        if self.error is not None:
            raise self.error
        self.told.append("opened")

    async def close(self) -> None:
        self.told.append("closed")

    def leave(self) -> None:
        if self.told[-1] != "closed":
            self.told.append("left")


async def test_all_are_done_before_the_first_error_is_raised() -> None:
    done: list[int] = []

    async def act(number: int, error: Exception | None = None) -> None:
        await asyncio.sleep(0)
        done.append(number)
        if error is not None:
            raise error

    first = ValueError("first")
    with pytest.raises(ValueError, match="first") as raised:
        await all_done([act(1), act(2, first), act(3, ValueError("second")), act(4)])
    assert raised.value is first
    assert done == [1, 2, 3, 4]
    await all_done([act(5)])
    await all_done([])
    assert done[4:] == [5]


async def test_all_are_opened() -> None:
    parts = [Part(), Part()]
    await open_all(parts, 7.0)
    assert [part.told for part in parts] == [["open 7.0", "opened"]] * 2


async def test_beside_an_error_all_are_closed() -> None:
    parts = [Part(), Part(ValueError("no")), Part()]
    with pytest.raises(ValueError, match="no"):
        await open_all(parts, 7.0)
    assert [part.told[-1] for part in parts] == ["closed"] * 3
    assert parts[2].told == ["open 7.0", "opened", "closed"]


async def test_cancelled_all_are_ended() -> None:
    parts = [Part(), Part(stuck=True)]
    opening = asyncio.ensure_future(open_all(parts, 7.0))
    await asyncio.sleep(0.01)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert [part.told[-1] for part in parts] == ["left"] * 2
