"""Stall meters on a clock that the test moves."""

import asyncio
import gc

from magnetar_runtime.counters import Counters
from magnetar_runtime.stalls import CollectorPauseMeter, LoopStallMeter


class ManualClock:
    def __init__(self) -> None:
        self.now_ns = 1_000_000_000

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ms(self) -> int:
        return 0


def published(counters: Counters) -> list[int | float | object]:
    return [sample.value for family in counters.families() for sample in family.samples]


async def test_the_latest_timer_counts() -> None:
    clock = ManualClock()
    meter = LoopStallMeter(asyncio.get_running_loop(), clock, interval_ms=0)
    counters = Counters()
    meter.register(counters)
    for late_us in (0, 700, 300):
        meter.start()
        clock.now_ns += late_us * 1000
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        meter.stop()
    assert meter.longest_us == 700
    assert published(counters) == [700]


async def test_ticks_go_on_until_stopped() -> None:
    clock = ManualClock()
    meter = LoopStallMeter(asyncio.get_running_loop(), clock, interval_ms=0)
    meter.start()
    for late_us in (1, 2, 3):
        clock.now_ns += late_us * 1000
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert meter.longest_us >= 2
    meter.stop()
    meter.stop()
    longest_us = meter.longest_us
    clock.now_ns += 1_000_000_000
    await asyncio.sleep(0)
    assert meter.longest_us == longest_us


def test_the_longest_collection_counts() -> None:
    clock = ManualClock()
    meter = CollectorPauseMeter(clock)
    counters = Counters()
    meter.register(counters)

    def advance(phase: str, info: object) -> None:
        if phase == "start":
            clock.now_ns += 5_000

    meter.start()
    gc.callbacks.append(advance)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(advance)
        meter.stop()
        meter.stop()
    assert meter.longest_us == 5
    assert published(counters) == [5]
