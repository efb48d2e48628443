"""Enums have the official values; policies refuse what cannot be."""

from enum import IntEnum

import pulsar
import pytest
from magnetar import types


@pytest.mark.official
@pytest.mark.parametrize(
    "name",
    [
        "BatchingType",
        "CompressionType",
        "ConsumerType",
        "InitialPosition",
        "KeySharedMode",
        "PartitionsRoutingMode",
        "ProducerAccessMode",
        "RegexSubscriptionMode",
    ],
)
def test_values_are_the_official_ones(name: str) -> None:
    ours: type[IntEnum] = getattr(types, name)
    official = getattr(pulsar, name).__members__
    assert {member.name: int(member) for member in ours} == {
        key: int(value) for key, value in official.items()
    }


def test_a_batch_receive_policy_needs_a_bound() -> None:
    with pytest.raises(ValueError, match="without any bound"):
        types.ConsumerBatchReceivePolicy(-1, 0, -1)
    assert types.ConsumerBatchReceivePolicy(10, -1, -1).max_num_message == 10


def test_sticky_needs_ranges() -> None:
    with pytest.raises(ValueError, match="needs sticky_ranges"):
        types.ConsumerKeySharedPolicy(types.KeySharedMode.Sticky)


@pytest.mark.parametrize(
    "ranges", [[(5, 4)], [(0, 65_536)], [(-1, 5)], [(0, 10), (10, 20)], [(10, 20), (0, 15)]]
)
def test_ranges_go_up_and_do_not_overlap(ranges: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="sticky range"):
        types.ConsumerKeySharedPolicy(types.KeySharedMode.Sticky, sticky_ranges=ranges)


def test_ranges_may_come_in_any_order() -> None:
    ranges = [(100, 65_535), (0, 99)]
    policy = types.ConsumerKeySharedPolicy(types.KeySharedMode.Sticky, sticky_ranges=ranges)
    assert policy.sticky_ranges == ranges


def test_a_dead_letter_policy_tries_at_least_once() -> None:
    with pytest.raises(ValueError, match="max_redeliver_count"):
        types.ConsumerDeadLetterPolicy(0)


def test_waits_grow_up_to_their_bound() -> None:
    backoff = types.MultiplierRedeliveryBackoff(100, 1000, 2)
    assert [backoff.next(count) for count in range(6)] == [100, 200, 400, 800, 1000, 1000]
    assert backoff.next(1_000_000) == 1000
    assert types.MultiplierRedeliveryBackoff(100, 1000, 1).next(1_000_000) == 100


@pytest.mark.parametrize(("least", "most", "multiplier"), [(0, 5, 2), (6, 5, 2), (1, 5, 0.5)])
def test_waits_that_cannot_be_are_refused(least: int, most: int, multiplier: float) -> None:
    with pytest.raises(ValueError, match="back-off"):
        types.MultiplierRedeliveryBackoff(least, most, multiplier)
