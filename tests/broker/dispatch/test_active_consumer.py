from collections import Counter

import pytest
from magnetar_broker.dispatch.active_consumer import choose_active


def test_partitions_are_spread_over_names_in_order() -> None:
    consumers = [(0, "c"), (0, "a"), (0, "b")]
    chosen = [consumers[choose_active(consumers, "t", index)][1] for index in range(6)]
    assert chosen == ["a", "b", "c", "a", "b", "c"]


@pytest.mark.parametrize("partition_index", [-1, 0, 1, 7])
def test_only_the_best_priority_counts(partition_index: int) -> None:
    consumers = [(1, "a"), (0, "z"), (2, "b")]
    assert choose_active(consumers, "t", partition_index) == 1


def test_topics_without_partitions_are_spread_too() -> None:
    consumers = [(0, "a"), (0, "b"), (0, "c")]
    chosen = Counter(choose_active(consumers, f"topic-{number}", -1) for number in range(600))
    assert set(chosen) == {0, 1, 2}
    assert min(chosen.values()) > 100


@pytest.mark.parametrize(
    ("number", "names", "chosen"), [(1, "bc", "b"), (2, "bc", "b"), (5, "za", "z"), (7, "bc", "c")]
)
def test_the_choice_is_that_of_pulsar(number: int, names: str, chosen: str) -> None:
    # As recorded: consumers of a subscription may meet another broker after a failure.
    consumers = [(0, name) for name in names]
    topic = f"persistent://public/default/failover-{number}"
    assert names[choose_active(consumers, topic, -1)] == chosen


def test_of_one_name_the_last_is_chosen() -> None:
    assert choose_active([(0, "x"), (0, "x"), (1, "x")], "t", -1) == 1


def test_the_order_of_arrival_does_not_matter() -> None:
    names = ["x", "y", "z"]
    for number in range(20):
        forward = [(0, name) for name in names]
        backward = forward[::-1]
        topic = f"topic-{number}"
        assert (
            forward[choose_active(forward, topic, -1)]
            == backward[choose_active(backward, topic, -1)]
        )


def test_a_consumer_that_leaves_moves_only_its_own_topics() -> None:
    everyone = [(0, "a"), (0, "b"), (0, "c")]
    rest = everyone[:2]
    for number in range(100):
        before = everyone[choose_active(everyone, f"topic-{number}", -1)]
        after = rest[choose_active(rest, f"topic-{number}", -1)]
        assert before == (0, "c") or after == before
