"""A simulated thread for blocking calls: when they happen and when they are told is drawn."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from magnetar_runtime.worker import made

_Call = Callable[[], Any]
_Done = Callable[[Any, BaseException | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerShape:
    """How long calls take.

    Attributes:
        usual_max_us: Most calls take up to so much virtual time.
        slow_max_us: A slow one takes up to so much.
        slow_chance: How many are slow, 0 to 1.
    """

    usual_max_us: int = 500
    slow_max_us: int = 50_000
    slow_chance: float = 0.02


class SimWorker:
    """Implements `magnetar_runtime.disk.Worker` on a simulated loop.

    Calls are made one after another, in order, each within the time that is drawn for it: a part
    passes before its effect and a part after, until its end is told. Of two workers either may be
    the first. While `stuck`, nothing is made or told: a disk that does not answer.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, rng: Random, shape: WorkerShape | None = None
    ) -> None:
        self._loop = loop
        self._rng = rng
        self._shape = shape or WorkerShape()
        self._calls: deque[tuple[_Call, _Done]] = deque()
        self._at_work = False
        self._stuck = False
        self._held: Callable[[], None] | None = None
        self._closing = False

    @property
    def stuck(self) -> bool:
        """The disk does not answer. Setting it to False lets it go on."""
        return self._stuck

    @stuck.setter
    def stuck(self, stuck: bool) -> None:
        self._stuck = stuck
        held = self._held
        if not stuck and held is not None:
            self._held = None
            self._loop.call_soon(held)

    def submit(self, call: _Call, done: _Done) -> None:
        """See `magnetar_runtime.disk.Worker`."""
        assert not self._closing, "the worker is closed"
        self._calls.append((call, done))
        if not self._at_work:
            self._at_work = True
            self._later(self._make)

    async def run(self, call: _Call) -> Any:
        """See `magnetar_runtime.disk.Worker`."""
        return await made(self._loop, self.submit, call)

    async def close(self) -> None:
        """See `magnetar_runtime.disk.Worker`."""
        if not self._closing:
            await self.run(lambda: None)
            self._closing = True

    def _make(self) -> None:
        call, done = self._calls.popleft()
        result, error = None, None
        try:
            result = call()
        except Exception as raised:  # noqa: BLE001 - goes to `done`, on the loop
            error = raised

        def tell() -> None:
            if self._calls:
                self._later(self._make)
            else:
                self._at_work = False
            done(result, error)

        self._later(tell)

    def _later(self, step: Callable[[], None]) -> None:
        shape = self._shape
        slow = self._rng.random() < shape.slow_chance
        most_us = shape.slow_max_us if slow else shape.usual_max_us
        self._loop.call_later(self._rng.uniform(0, most_us) / 1e6, self._step, step)

    def _step(self, step: Callable[[], None]) -> None:
        if self._stuck:
            self._held = step
        else:
            step()
