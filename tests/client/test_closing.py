"""What is closed is closed at the end of its block, also by an error, which goes on."""

import pytest
from magnetar.closing import AsyncClosing, Closing


class AsyncThing(AsyncClosing):
    def __init__(self) -> None:
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1


class Thing(Closing):
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


async def test_async_with() -> None:
    thing = AsyncThing()
    async with thing as given:
        assert given is thing
        assert not thing.closed
    assert thing.closed == 1
    with pytest.raises(ValueError, match="mine"):
        async with thing:
            raise ValueError("mine")
    assert thing.closed == 2


def test_with() -> None:
    thing = Thing()
    with thing as given:
        assert given is thing
        assert not thing.closed
    assert thing.closed == 1
    with pytest.raises(ValueError, match="mine"), thing:
        raise ValueError("mine")
    assert thing.closed == 2
