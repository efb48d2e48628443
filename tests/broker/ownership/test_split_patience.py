"""A bundle that cannot be split is asked for more and more seldom."""

from itertools import pairwise

from magnetar_broker.ownership.split_patience import SplitPatience


def test_pauses_double_up_to_half_an_hour() -> None:
    patience = SplitPatience()
    asked_ms = []
    for now_ms in range(0, 4 * 3_600_000, 5_000):  # as reports come
        if patience.ready(["a"], now_ms):
            asked_ms.append(now_ms)
            patience.refused("a", now_ms)
    pauses_s = [(b - a) // 1000 for a, b in pairwise(asked_ms)]
    assert pauses_s[:9] == [10, 20, 40, 80, 160, 320, 640, 1280, 1800]
    assert set(pauses_s[9:]) == {1800}


def test_others_are_asked_for_meanwhile() -> None:
    patience = SplitPatience()
    patience.refused("a", 0)
    assert patience.ready(["b", "a", "c"], 5_000) == ["b", "c"]


def test_what_is_small_for_a_while_is_forgotten() -> None:
    patience = SplitPatience()
    patience.refused("a", 0)
    assert patience.ready([], 1) == []
    assert patience.ready(["a"], 2) == ["a"]
