"""A bookie leaves for good: all its ledgers first, its cookie last."""

import asyncio

import pytest
from magnetar_ledger.errors import DecommissionError
from magnetar_ledger.repair.decommission import Decommission
from magnetar_metadata.cookies import Cookie, CookieRegistry
from magnetar_metadata.ledger_metadata import LedgerState
from magnetar_runtime.scope import TaskScope

from tests.ledger.repair.world import RepairWorld
from tests.ledger.virtual_time import run


async def with_cookie(world: RepairWorld, name: str) -> CookieRegistry:
    cookies = CookieRegistry(world.store)
    await cookies.create(Cookie(name, ("/j",), ("/l",)))
    return cookies


def test_its_ledgers_move_and_it_is_forgotten() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        cookies = await with_cookie(world, "b0")
        ledgers = [await world.written(20) for _ in range(20)]
        opened = [await world.written(3, close=False) for _ in range(10)]
        await world.kill("b0")
        left: list[int] = []
        async with TaskScope() as scope:
            worker = scope.spawn(world.worker().run(), name="worker")
            await Decommission(world.store, "b0", world.clock).run(left.append)
            worker.cancel()
        assert left[0] > 5
        assert left[-1] == 0
        assert await cookies.read("b0") is None
        for ledger_id in ledgers + opened:
            assert "b0" not in await world.ensemble_of(ledger_id)
            if (await world.metadata(ledger_id)).state is LedgerState.CLOSED:
                assert await world.lacking(ledger_id) == []
        await Decommission(world.store, "b0", world.clock).run()  # again does no harm

    run(main())


def test_a_running_bookie_is_refused() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        await world.written(20)
        with pytest.raises(DecommissionError, match="b0 is running"):
            await Decommission(world.store, "b0", world.clock).run()
        assert await world.marked.list_ids() == []

    run(main())


def test_a_bookie_that_comes_back_meanwhile_keeps_its_cookie() -> None:
    async def main() -> None:
        world = await RepairWorld(3).begin()
        cookies = await with_cookie(world, "b0")
        await world.written(20)
        await world.kill("b0")
        task = asyncio.get_running_loop().create_task(
            Decommission(world.store, "b0", world.clock).run()
        )
        await asyncio.sleep(30)
        await world.revive("b0")
        with pytest.raises(DecommissionError):
            await task
        assert await cookies.read("b0") is not None

    run(main())


def test_it_says_so_if_nobody_will_repair() -> None:
    async def main() -> None:
        world = await RepairWorld(5).begin()
        await world.written(20)
        await world.kill("b0")
        await world.marked.enable(False)
        with pytest.raises(DecommissionError, match="switched off"):
            await Decommission(world.store, "b0", world.clock).run()

    run(main())


def test_what_is_marked_stays_as_it_is() -> None:
    async def main() -> None:
        world = await RepairWorld(3).begin()
        ledger_id = await world.written(20)
        await world.kill("b0")
        await world.marked.mark(ledger_id, ["b0"])
        task = asyncio.get_running_loop().create_task(
            Decommission(world.store, "b0", world.clock).run()
        )
        await asyncio.sleep(60)
        found = await world.marked.read(ledger_id)
        assert found is not None
        assert found[1] == 0  # a worker that is at it is not made to begin again
        await world.marked.remove(ledger_id)  # without having repaired it
        await asyncio.sleep(10)
        assert await world.marked.list_ids() == [ledger_id]
        task.cancel()

    run(main())
