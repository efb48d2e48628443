"""The text form of the registry, and that making it gives others their turn."""

import asyncio

from magnetar_runtime import metrics
from magnetar_runtime.counters import Counters, Family, Kind, Rows, Sample
from magnetar_runtime.slices import SLICE_NS


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


async def text_of(counters: Counters) -> str:
    return "".join([chunk async for chunk in metrics.render(counters, SteppingClock(0))])


async def test_text_form() -> None:
    counters = Counters()
    counters.counter("sent_total", "Sent\nmessages \\ all.", {"topic": 'a"b\\c\nd'}).value = 3
    histogram = counters.histogram("latency_us", "Latency.", (10, 20), {"op": "add"})
    for value in (5, 10, 15, 99):
        histogram.observe(value)
    counters.gauge("depth", "Depth.", lambda: 1.5)
    assert await text_of(counters) == (
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
    async for _ in metrics.render(counters, SteppingClock(step_ns)):
        pass
    ended = True
    await task
    return turns - 1


async def test_others_have_their_turn_after_each_millisecond() -> None:
    # 100 lines; a look at the clock takes a tenth of a slice, so ten slices and a bit.
    assert 8 <= await turns_while_rendering(SLICE_NS // 10) <= 12
    assert await turns_while_rendering(0) <= 0


async def test_rows_have_the_form_of_samples() -> None:
    counters = Counters()
    values = list(range(1_000))
    labels = [metrics.label_text({"n": str(number), "q": '"'}) for number in values]
    counters.add_source(lambda: [Family("many", Kind.GAUGE, "Many.", Rows(labels, values))])
    lines = (await text_of(counters)).splitlines()
    assert lines[:2] == ["# HELP many Many.", "# TYPE many gauge"]
    assert lines[2:] == [f'many{{n="{number}",q="\\""}} {number}' for number in values]


async def test_a_large_text_comes_in_chunks() -> None:
    counters = Counters()
    labels = ["{" + "x" * 1000 + "}"] * 1_000
    counters.add_source(lambda: [Family("many", Kind.GAUGE, "Many.", Rows(labels, [1] * 1_000))])
    chunks = [chunk async for chunk in metrics.render(counters, SteppingClock(0))]
    assert sum(chunk.count("\n") for chunk in chunks) == 1_002
    assert len(chunks) > 2
    assert max(map(len, chunks)) < metrics.CHUNK_CHARACTERS + 300 * 1_010


async def test_others_have_their_turn_where_a_source_pauses() -> None:
    counters = Counters()
    counters.add_source(lambda: [None] * 50)
    others: list[int] = []
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: others.append(1))
    assert await text_of(counters) == ""
    assert others == []
    async for _ in metrics.render(counters, SteppingClock(SLICE_NS)):
        pass
    assert others == [1]
    assert list(counters.families()) == []
