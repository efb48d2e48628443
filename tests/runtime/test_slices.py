"""Slices end when their time is used up, and not before."""

import asyncio

from magnetar_runtime.slices import SLICE_NS, Slices


class FakeClock:
    now_ns = 0

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ms(self) -> int:
        return 0


async def test_others_run_once_per_slice() -> None:
    clock, runs = FakeClock(), list[int]()
    slices = Slices(clock)
    asyncio.get_running_loop().call_soon(lambda: runs.append(clock.now_ns))
    clock.now_ns = SLICE_NS - 1
    await slices.breathe()
    assert runs == []
    clock.now_ns = SLICE_NS
    await slices.breathe()
    assert runs == [SLICE_NS]
    asyncio.get_running_loop().call_soon(lambda: runs.append(clock.now_ns))
    clock.now_ns += SLICE_NS
    slices.begin()
    await slices.breathe()
    assert len(runs) == 1
    await asyncio.sleep(0)
