"""Entries come again in time, on a simulated clock."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from magnetar.due_redelivery import DueRedelivery
from magnetar.incoming import Place
from magnetar_runtime.sim import CALM, SimLoop

TIMEOUT_S = 10.0


class World:
    """What was sent again, and when: to a tenth of a second."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.came: list[tuple[float, list[Place]]] = []
        self.due = DueRedelivery(self.loop, TIMEOUT_S, self._redeliver)
        self._began_s = self.loop.time()

    def _redeliver(self, places: Sequence[Place]) -> None:
        self.came.append((round(self.loop.time() - self._began_s, 1), list(places)))


def play(scenario: Callable[[World], Awaitable[None]]) -> list[tuple[float, list[Place]]]:
    async def main() -> list[tuple[float, list[Place]]]:
        world = World()
        await scenario(world)
        await asyncio.sleep(100)
        return world.came

    loop = SimLoop(shape=CALM)
    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


def test_refused_and_unacknowledged_ones_come_when_they_are_due() -> None:
    async def scenario(world: World) -> None:
        world.due.given((1, 1))
        world.due.given((1, 2))
        world.due.refuse((1, 2), 3.0)
        world.due.refuse((1, 3), 1.0)

    assert play(scenario) == [(1.0, [(1, 3)]), (3.0, [(1, 2)]), (10.0, [(1, 1)])]


def test_what_is_due_at_once_comes_together() -> None:
    async def scenario(world: World) -> None:
        world.due.given((1, 1))
        world.due.refuse((1, 2), TIMEOUT_S)

    assert play(scenario) == [(10.0, [(1, 2), (1, 1)])]


def test_acknowledged_ones_do_not_come() -> None:
    async def scenario(world: World) -> None:
        for entry_id in range(4):
            world.due.given((1, entry_id))
        world.due.refuse((1, 0), 1.0)
        world.due.done((1, 0))
        world.due.done_up_to((1, 2))

    assert play(scenario) == [(10.0, [(1, 3)])]


def test_what_was_refused_comes_though_later_ones_are_acknowledged() -> None:
    async def scenario(world: World) -> None:
        world.due.refuse((1, 0), 1.0)
        world.due.done_up_to((1, 2))

    assert play(scenario) == [(1.0, [(1, 0)])]


def test_nothing_comes_after_clear_and_stop() -> None:
    async def cleared(world: World) -> None:
        world.due.given((1, 1))
        world.due.refuse((1, 2), 1.0)
        world.due.clear()
        world.due.given((1, 3))

    async def stopped(world: World) -> None:
        world.due.given((1, 1))
        world.due.stop()

    assert play(cleared) == [(10.0, [(1, 3)])]
    assert play(stopped) == []
