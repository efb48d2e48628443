import random

from magnetar.backoff import Backoff


def test_waits_double_up_to_the_bound_and_are_a_little_shorter_by_chance() -> None:
    backoff = Backoff(100, 1000, random.Random(1))
    waits = [backoff.next_ms() for _ in range(6)]
    for wait, whole in zip(waits, [100, 200, 400, 800, 1000, 1000], strict=True):
        assert 0.8 * whole <= wait <= whole
    assert len({wait % 100 for wait in waits}) > 1
    backoff.reset()
    assert backoff.next_ms() <= 100
