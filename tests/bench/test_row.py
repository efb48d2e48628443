"""Plans and targets."""

from bench.row import Figure, Plan


def test_targets_know_their_direction() -> None:
    more, less = Figure("a", "x", 1.5), Figure("a", "x", 0.5, less_is_better=True)
    assert (more.reached(1.5), more.reached(1.4)) == (True, False)
    assert (less.reached(0.5), less.reached(0.6)) == (True, False)
    assert Figure("a", "x").reached(1.0) is None


def test_warming_keeps_apart_from_the_run() -> None:
    plan = Plan.short()
    assert plan.warming().seconds == plan.warm_seconds
    assert plan.warming().topic("t") != plan.topic("t")
