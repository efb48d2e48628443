"""The bound holds over time, whatever the sizes."""

import asyncio

from magnetar_ledger.repair.rate import RateLimit

from tests.ledger.virtual_time import run, virtual_clock


def test_what_is_spent_takes_its_time() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        limit = RateLimit(1000, virtual_clock())
        began = loop.time()
        for _ in range(10):
            await limit.spend(500)
        assert 4.4 < loop.time() - began < 4.6  # the last amount is paid for by the next

    run(main())


def test_idle_time_is_saved_for_a_second_at_most() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        limit = RateLimit(1000, virtual_clock())
        await asyncio.sleep(60)
        began = loop.time()
        for _ in range(30):
            await limit.spend(100)
        assert 1.8 < loop.time() - began < 2.0

    run(main())


def test_without_a_bound_nothing_waits() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await RateLimit(0, virtual_clock()).spend(10**12)
        assert loop.time() == began

    run(main())


def test_several_share_the_bound() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        limit = RateLimit(1000, virtual_clock())
        began = loop.time()
        await asyncio.gather(*(limit.spend(1000) for _ in range(4)))
        assert 2.9 < loop.time() - began < 3.1

    run(main())
