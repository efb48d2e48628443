"""When a bookie is read-only: before a disk is full, and until there is clearly room again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_runtime.disk import DiskSpace
from magnetar_storage.disk_watch import DiskLimits, DiskWatch, Sight
from magnetar_storage.errors import ConfigError

LIMITS = DiskLimits(full_share=0.9, warn_share=0.8, low_water_share=0.85, min_free_bytes=1 << 20)
TOTAL_BYTES = 1 << 30


def used(share: float) -> DiskSpace:
    return DiskSpace(TOTAL_BYTES, TOTAL_BYTES - int(share * TOTAL_BYTES))


def look(watch: DiskWatch, *shares: float) -> Sight:
    return watch.look({f"d{number}": used(share) for number, share in enumerate(shares)})


def test_there_is_nothing_to_say_of_a_disk_with_room() -> None:
    assert look(DiskWatch(LIMITS), 0.1, 0.79) == Sight(False, (), 10_000)


def test_nearly_full_is_said_once_and_looked_at_more_often() -> None:
    watch = DiskWatch(LIMITS)
    first = look(watch, 0.81)
    assert [warning for warning, _ in first.news] == [True]
    assert "nearly full: d0 (81.0% used, 194 MiB free)" in first.news[0][1]
    assert first.next_ms == 1000
    assert look(watch, 0.82) == Sight(False, (), 1000)
    assert look(watch, 0.5) == Sight(False, (), 10_000)
    assert look(watch, 0.81).news


def test_full_is_read_only_until_below_the_low_water_mark() -> None:
    watch = DiskWatch(LIMITS)
    full = look(watch, 0.1, 0.91)
    assert full.read_only
    assert watch.read_only
    assert [text.partition(":")[0] for _, text in full.news] == [
        "the disk is full",
        "the bookie is read-only",
    ]
    assert look(watch, 0.1, 0.86) == Sight(True, (), 1000)
    back = look(watch, 0.1, 0.84)
    assert not back.read_only
    assert [warning for warning, _ in back.news] == [False, False]


def test_too_little_room_is_full_whatever_the_share() -> None:
    watch = DiskWatch(LIMITS)
    huge = 1 << 50
    assert not watch.look({"d": DiskSpace(huge, huge // 2)}).read_only
    small = DiskSpace(1 << 20, (1 << 20) - 1)
    assert watch.look({"d": small}).read_only
    assert watch.look({"d": small}).read_only


def test_the_others_keep_it_read_only() -> None:
    watch = DiskWatch(LIMITS)
    assert look(watch, 0.95, 0.95).read_only
    one_left = look(watch, 0.1, 0.95)
    assert one_left.read_only
    assert len(one_left.news) == 1
    assert not look(watch, 0.1, 0.1).read_only


@given(st.lists(st.floats(0, 1), max_size=30))
def test_it_never_takes_entries_on_a_full_disk(shares: list[float]) -> None:
    watch = DiskWatch(LIMITS)
    for share in shares:
        before = watch.read_only
        sight = look(watch, share)
        space = used(share)
        if space.used_share >= LIMITS.full_share:
            assert sight.read_only
        if space.used_share < LIMITS.low_water_share:
            assert not sight.read_only
        if LIMITS.low_water_share <= space.used_share < LIMITS.full_share:
            assert sight.read_only == before
        assert bool([text for _, text in sight.news if "bookie" in text]) == (
            before != sight.read_only
        )


@pytest.mark.parametrize(
    "shares",
    [
        {"warn_share": 0.97},
        {"low_water_share": 0.96},
        {"full_share": 1.1},
        {"warn_share": 0.0},
        {"low_water_share": 0.0},
    ],
)
def test_shares_that_cannot_be(shares: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="Threshold"):
        DiskLimits(**shares)  # type: ignore[arg-type]
