"""When the age of a ledger is looked at."""

import asyncio

from magnetar_ledger.managed import ManagedLedgerConfig
from magnetar_ledger.managed.ledger_timer import LedgerTimer

from tests.ledger.virtual_time import run, virtual_clock

CONFIG = ManagedLedgerConfig(
    min_ledger_age_ms=1_000, max_ledger_age_ms=10_000, next_ledger_ahead_percent=50
)


def test_it_calls_at_each_moment_that_matters() -> None:
    async def main() -> None:
        ages: list[int] = []

        def passed() -> None:
            ages.append(timer.age_ms)
            timer.start()

        await asyncio.sleep(1.5)
        timer = LedgerTimer(virtual_clock(), CONFIG, passed)
        timer.begin()
        timer.start()
        await asyncio.sleep(60)
        assert ages == [500, 1_000, 5_000, 10_000]

    run(main())


def test_it_does_not_call_once_stopped() -> None:
    async def main() -> None:
        calls: list[None] = []
        timer = LedgerTimer(virtual_clock(), CONFIG, lambda: calls.append(None))
        timer.begin()
        timer.start()
        timer.stop()
        timer.stop()
        await asyncio.sleep(60)
        assert not calls

    run(main())
