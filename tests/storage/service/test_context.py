"""What connections share: one write per turn, LACs told to who waits."""

import asyncio

from magnetar_storage.service.context import Flusher

from tests.storage.service.peer import World


class Flushed:
    def __init__(self) -> None:
        self.flushes = 0

    def flush(self) -> None:
        self.flushes += 1


async def test_a_flush_comes_at_the_end_of_the_turn() -> None:
    flusher = Flusher(asyncio.get_running_loop())
    one, other = Flushed(), Flushed()
    flusher.add(one)
    flusher.add(other)
    assert one.flushes == 0
    await asyncio.sleep(0)
    assert (one.flushes, other.flushes) == (1, 1)
    flusher.add(one)
    await asyncio.sleep(0)
    assert (one.flushes, other.flushes) == (2, 1)


async def test_a_lac_that_moves_wakes_readers(world: World) -> None:
    woken: list[int] = []
    world.context.polls.wait(1, 5, 60_000, lambda: woken.append(1))
    world.context.learn_lac(1, 5)
    world.context.learn_lac(1, 6)
    await asyncio.sleep(0)
    assert woken == [1]
