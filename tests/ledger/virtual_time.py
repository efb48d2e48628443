"""A loop whose time jumps to the next timer when nothing else is to do."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

WALL_START_MS = 1_700_000_000_000


class _JumpingSelector(selectors.DefaultSelector):
    now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout != 0:
            assert timeout is not None, "everything waits and no timer will end it"
            self.now_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


class VirtualClock:
    def monotonic_ns(self) -> int:
        return round(asyncio.get_running_loop().time() * 1_000_000) * 1_000

    def wall_ms(self) -> int:
        return WALL_START_MS + self.monotonic_ns() // 1_000_000


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine on a loop whose time jumps."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
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
