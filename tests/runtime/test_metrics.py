"""The text form of the registry, and that making it gives others their turn."""

import asyncio

from magnetar_runtime import metrics
from magnetar_runtime.counters import Counters, Family, Kind, Sample


class SteppingClock:
    """Each look at the clock takes a fixed time."""

    def __init__(self, step_ns: int) -> None:
        self._step_ns = step_ns
        self._now_ns = 0

    def monotonic_ns(self) -> int:
        self._now_ns += self._step_ns
        return self._now_ns

    def wall_ms(self) -> int:
        return 0


async def test_text_form() -> None:
    counters = Counters()
    counters.counter("sent_total", "Sent\nmessages \\ all.", {"topic": 'a"b\\c\nd'}).value = 3
    histogram = counters.histogram("latency_us", "Latency.", (10, 20), {"op": "add"})
    for value in (5, 10, 15, 99):
        histogram.observe(value)
    counters.gauge("depth", "Depth.", lambda: 1.5)
    assert await metrics.render(counters, SteppingClock(0)) == (
        "# HELP sent_total Sent\\nmessages \\\\ all.\n"
        "# TYPE sent_total counter\n"
        'sent_total{topic="a\\"b\\\\c\\nd"} 3\n'
        "# HELP latency_us Latency.\n"
        "# TYPE latency_us histogram\n"
        'latency_us_bucket{op="add",le="10"} 2\n'
        'latency_us_bucket{op="add",le="20"} 3\n'
        'latency_us_bucket{op="add",le="+Inf"} 4\n'
        'latency_us_sum{op="add"} 129\n'
        'latency_us_count{op="add"} 4\n'
        "# HELP depth Depth.\n"
        "# TYPE depth gauge\n"
        "depth 1.5\n"
    )


async def turns_while_rendering(step_ns: int) -> int:
    counters = Counters()
    many = [Sample({"n": str(number)}, number) for number in range(98)]
    counters.add_source(lambda: [Family("many", Kind.GAUGE, "Many.", many)])
    turns = 0
    ended = False

    async def other() -> None:
        nonlocal turns
        while not ended:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.get_running_loop().create_task(other())
    await asyncio.sleep(0)
    turns = 0
    await metrics.render(counters, SteppingClock(step_ns))
    ended = True
    await task
    return turns - 1


async def test_others_have_their_turn_after_each_millisecond() -> None:
    # 100 lines; a look at the clock takes a tenth of a slice, so ten slices and a bit.
    assert 8 <= await turns_while_rendering(metrics.SLICE_NS // 10) <= 12
    assert await turns_while_rendering(0) <= 0
