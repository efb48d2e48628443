"""When a directory takes no entries: before its disk is full, and until there is clearly room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_runtime.disk import DiskSpace
from magnetar_storage.disk_watch import DiskLimits, DiskWatch, Room, Sight
from magnetar_storage.errors import ConfigError

LIMITS = DiskLimits(full_share=0.9, warn_share=0.8, low_water_share=0.85, min_free_bytes=1 << 20)
TOTAL_BYTES = 1 << 30


def used(share: float) -> DiskSpace:
    return DiskSpace(TOTAL_BYTES, TOTAL_BYTES - int(share * TOTAL_BYTES))


def look(watch: DiskWatch, *shares: float) -> Sight:
    return watch.look({f"d{number}": used(share) for number, share in enumerate(shares)})


def room(watch: DiskWatch, free_mib: float, total_bytes: int = 1 << 50) -> Room:
    return watch.look({"d": DiskSpace(total_bytes, int(free_mib * (1 << 20)))}).rooms["d"]


def test_there_is_nothing_to_say_of_a_disk_with_room() -> None:
    sight = look(DiskWatch(LIMITS), 0.1, 0.79)
    assert sight == Sight({"d0": Room.ENTRIES, "d1": Room.ENTRIES}, (), 10_000)


def test_nearly_full_is_said_once_and_looked_at_more_often() -> None:
    watch = DiskWatch(LIMITS)
    first = look(watch, 0.81)
    assert [warning for warning, _ in first.news] == [True]
    assert "nearly full: d0 (81.0% used, 194 MiB free)" in first.news[0][1]
    assert first.next_ms == 1000
    assert look(watch, 0.82) == Sight({"d0": Room.ENTRIES}, (), 1000)
    assert look(watch, 0.5) == Sight({"d0": Room.ENTRIES}, (), 10_000)
    assert look(watch, 0.81).news


def test_little_room_is_looked_at_more_often_whatever_the_share() -> None:
    """Else a small disk fills between two looks: it is full long before the share of a warning."""
    limits = DiskLimits(min_free_bytes=200 << 20)
    watch = DiskWatch(limits)
    assert watch.look({"d": used(0.5)}).next_ms == 10_000
    near = watch.look({"d": used(0.7)})
    assert (near.rooms["d"], near.next_ms) == (Room.ENTRIES, 1000)
    assert "nearly full" in near.news[0][1]


def test_full_until_below_the_low_water_mark() -> None:
    watch = DiskWatch(LIMITS)
    full = look(watch, 0.1, 0.91)
    assert full.rooms == {"d0": Room.ENTRIES, "d1": Room.RECOVERY}
    assert [text.partition(":")[0] for _, text in full.news] == ["the disk is full"]
    assert look(watch, 0.1, 0.86) == Sight(full.rooms, (), 1000)
    back = look(watch, 0.1, 0.84)
    assert back.rooms["d1"] is Room.ENTRIES
    assert [warning for warning, _ in back.news] == [False]


def test_too_little_room_is_full_until_there_is_a_quarter_more() -> None:
    watch = DiskWatch(
        DiskLimits(
            full_share=1,
            warn_share=1,
            low_water_share=1,
            min_free_bytes=8 << 20,
            recovery_free_bytes=4 << 20,
        )
    )
    steps = [
        (8, Room.ENTRIES),
        (7.9, Room.RECOVERY),
        (9.9, Room.RECOVERY),
        (10, Room.ENTRIES),
        (3.9, Room.NONE),
        (4.9, Room.NONE),
        (5, Room.RECOVERY),
        (4, Room.RECOVERY),
    ]
    for free_mib, expected in steps:
        assert room(watch, free_mib, 1 << 30) is expected


def test_a_directory_that_is_not_looked_at_any_more_is_forgotten() -> None:
    watch = DiskWatch(LIMITS)
    assert look(watch, 0.1, 0.95).next_ms == 1000
    assert look(watch, 0.1) == Sight({"d0": Room.ENTRIES}, (), 10_000)


@given(st.lists(st.floats(0, 1), max_size=30))
def test_it_never_takes_entries_on_a_full_disk(shares: list[float]) -> None:
    watch, before = DiskWatch(LIMITS), Room.ENTRIES
    for share in shares:
        sight, space = look(watch, share), used(share)
        now = sight.rooms["d0"]
        if space.used_share >= LIMITS.full_share:
            assert now < Room.ENTRIES
        if space.used_share < LIMITS.low_water_share:
            assert now is Room.ENTRIES
        if LIMITS.low_water_share <= space.used_share < LIMITS.full_share:
            assert (now is Room.ENTRIES) == (before is Room.ENTRIES)
        changed = [text for _, text in sight.news if "nearly" not in text]
        assert bool(changed) == ((now is Room.ENTRIES) != (before is Room.ENTRIES))
        before = now


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
