"""The simulated loop, calm: time jumps when nothing is to do, and callbacks cost none."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from magnetar_runtime.sim import CALM, SimClock, SimLoop

Result = TypeVar("Result")


def virtual_clock() -> SimClock:
    """The clock of the running loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimLoop)
    return SimClock(loop)


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine on a loop whose time jumps."""
    with asyncio.Runner(loop_factory=partial(SimLoop, shape=CALM)) as runner:
        return runner.run(main)


async def turns(count: int = 10) -> None:
    """Let the loop turn without letting time pass."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], timeout_s: float = 3600.0) -> None:
    """Let the loop turn, and time pass, until something is so."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    turns_taken = 0
    while not condition():
        assert loop.time() < end, "it never came to be"
        turns_taken += 1
        await asyncio.sleep(0 if turns_taken % 50 else 0.01)
