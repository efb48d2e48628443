import random
from collections import Counter

import pytest
from magnetar_broker.consumer import Consumer
from magnetar_broker.dispatch.hash_ranges import (
    RANGE_HASHES,
    RING_HASHES,
    HashRanges,
    HashRing,
    SplitRanges,
    StickyRanges,
    check_ranges,
)
from magnetar_broker.dispatch.sticky_keys import key_hash
from magnetar_broker.errors import ConsumerAssignFailedError

from tests.broker.consuming import consumer


def owners(ranges: HashRanges) -> list[Consumer | None]:
    return [ranges.owner_of(hash_) for hash_ in range(1, RING_HASHES + 1)]


def name_for(ranges: HashRanges, key: str) -> str:
    owner = ranges.owner_of(ranges.reduced(key_hash(key.encode())))
    assert owner is not None
    return owner.name


def test_the_ring_gives_keys_to_whom_pulsar_gives_them() -> None:
    ring = HashRing(100)
    for name in ("alpha", "beta", "gamma"):
        ring.add(consumer(name))
    keys = ("red", "green", "blue", "white", "black", "grey", "violet")
    assert [name_for(ring, key) for key in keys] == (
        ["alpha", "beta", "beta", "alpha", "beta", "alpha", "gamma"]
    )


def test_the_ring_takes_the_next_point_and_goes_round() -> None:
    ring = HashRing(1)
    one, other = consumer("a"), consumer("b")
    ring.add(one)
    ring.add(other)
    ends = sorted(last for span in map(ring.ranges_of, (one, other)) for _, last in span)[:2]
    assert ring.owner_of(ends[0]) is not ring.owner_of(ends[0] + 1)
    assert ring.owner_of(ends[1] + 1) is ring.owner_of(1) is ring.owner_of(RING_HASHES)


@pytest.mark.parametrize("ranges", [HashRing(100), SplitRanges()], ids=["ring", "halves"])
def test_every_hash_has_one_owner_whoever_comes_and_goes(ranges: HashRanges) -> None:
    draw = random.Random(5)
    attached: list[Consumer] = []
    assert ranges.owner_of(1) is None
    for step in range(40):
        if attached and draw.random() < 0.4:
            gone = attached.pop(draw.randrange(len(attached)))
            ranges.remove(gone)
            assert ranges.ranges_of(gone) == []
        else:
            attached.append(consumer(f"c{step % 7}"))
            ranges.add(attached[-1])
        spans = [(span, one) for one in attached for span in ranges.ranges_of(one)]
        for (first, last), one in spans:
            assert ranges.owner_of(first or 1) is ranges.owner_of(last) is one
        assert sum(last - first + 1 for (first, last), _ in spans) in (
            {0} if not attached else {RING_HASHES, RANGE_HASHES}
        )


def test_a_newcomer_moves_only_what_becomes_its_own() -> None:
    ring = HashRing(100)
    for name in "abc":
        ring.add(consumer(name))
    before = owners(ring)
    newcomer = consumer("d")
    ring.add(newcomer)
    moved = [after for old, after in zip(before, owners(ring), strict=True) if old is not after]
    assert set(moved) == {newcomer}
    assert len(moved) < RING_HASHES // 2
    ring.remove(newcomer)
    assert owners(ring) == before


def test_consumers_of_one_name_share_the_ring() -> None:
    ring = HashRing(100)
    twins = [consumer("") for _ in range(4)]
    for one in twins:
        ring.add(one)
    counts = Counter(map(id, owners(ring)))
    assert len(counts) == 4
    assert min(counts.values()) > RING_HASHES // 8
    ring.remove(twins[1])
    ring.add(consumer(""))
    assert len(set(map(id, owners(ring)))) == 4


def test_halving_gives_a_newcomer_the_lower_half_of_the_largest() -> None:
    ranges = SplitRanges()
    a, b, c = consumer("a"), consumer("b"), consumer("c")
    ranges.add(a)
    ranges.add(b)
    assert (ranges.owner_of(32_768), ranges.owner_of(32_769)) == (b, a)
    ranges.add(c)
    assert ranges.ranges_of(c) == [(0, 16_384)]
    ranges.remove(a)
    assert ranges.ranges_of(b) == [(16_385, 65_535)]
    ranges.remove(c)
    assert ranges.ranges_of(b) == [(0, 65_535)]


def sticky(*spans: tuple[int, int]) -> Consumer:
    return consumer("sticky", hash_ranges=spans)


def test_sticky_consumers_have_what_they_name_and_nobody_the_rest() -> None:
    ranges = StickyRanges()
    one, other = sticky((0, 10), (50, 60)), sticky((11, 20))
    ranges.add(one)
    ranges.add(other)
    assert [ranges.owner_of(hash_) for hash_ in (1, 10, 11, 20, 21, 50, 60, 61)] == (
        [one, one, other, other, None, one, one, None]
    )
    assert ranges.ranges_of(one) == [(0, 10), (50, 60)]
    ranges.remove(one)
    assert ranges.owner_of(55) is None


def test_ranges_that_overlap_have_a_rival() -> None:
    ranges = StickyRanges()
    one = sticky((10, 20))
    ranges.add(one)
    for span in ((20, 30), (0, 10), (12, 13), (0, 99)):
        assert ranges.rival_of(sticky(span)) is one
    assert ranges.rival_of(sticky((21, 30), (0, 9))) is None
    assert HashRing(1).rival_of(one) is SplitRanges().rival_of(one) is None


@pytest.mark.parametrize(
    "spans", [[], [(9, 3)], [(0, 100), (50, 200)], [(50, 200), (0, 50)]], ids=str
)
def test_ranges_that_are_refused(spans: list[tuple[int, int]]) -> None:
    with pytest.raises(ConsumerAssignFailedError):
        check_ranges(spans)


def test_ranges_side_by_side_are_taken_and_no_bound_is_checked() -> None:
    check_ranges([(101, 65_536), (0, 100)])


def test_no_key_has_hash_0() -> None:
    assert HashRing(1).reduced(0) == HashRing(1).reduced(RING_HASHES) == 1
    for ranges in (SplitRanges(), StickyRanges()):
        assert (ranges.reduced(0), ranges.reduced(65_535), ranges.reduced(65_537)) == (1, 65_535, 1)
