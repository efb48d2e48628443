"""When compaction is due."""

from magnetar_storage.compaction_schedule import (
    CompactionConfig,
    Compactions,
    CompactionSchedule,
)

CONFIG = CompactionConfig(minor_interval_ms=10, major_interval_ms=100)


def test_minor_and_major() -> None:
    schedule = CompactionSchedule(CONFIG, 1000)
    told = {now: schedule.due(now) for now in range(1000, 1206)}
    due = {now: share for now, share in told.items() if share}
    assert [now for now, share in due.items() if share == CONFIG.major_share] == [1100, 1200]
    assert list(due) == [*range(1010, 1100, 10), *range(1100, 1201, 10)]


def test_zero_is_never() -> None:
    never = CompactionConfig(minor_interval_ms=0, major_interval_ms=0)
    assert CompactionSchedule(never, 0).due(1 << 60) == 0


async def test_the_bookie_is_told_what_is_due() -> None:
    class Bookie:
        def __init__(self) -> None:
            self.asked: list[tuple[float, int]] = []

        async def compact(self, share: float, rate: int) -> int:
            self.asked.append((share, rate))
            return 1

    class Clock:
        now_ns = 0

        def monotonic_ns(self) -> int:
            return self.now_ns

    bookie, clock = Bookie(), Clock()
    compactions = Compactions(bookie, CONFIG, clock)  # type: ignore[arg-type]
    for milliseconds in (9, 10, 11):
        clock.now_ns = milliseconds * 1_000_000
        await compactions.run_due()
    assert bookie.asked == [(CONFIG.minor_share, CONFIG.rate_bytes_per_s)]
