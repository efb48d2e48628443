from magnetar_broker.dispatch.single_active import Change, SingleActiveCore

from tests.broker.consuming import consumer


def test_the_first_takes_over_and_the_last_leaves_nobody() -> None:
    core = SingleActiveCore("t", 0)
    one = consumer("a")
    assert core.add(one) is Change.TAKE_OVER
    assert core.active is one
    assert core.remove(one) is Change.EMPTY
    assert core.active is None


def test_a_newcomer_that_ranks_behind_changes_nothing() -> None:
    core = SingleActiveCore("t", 0)
    core.add(consumer("a"))
    assert core.add(consumer("b")) is Change.NONE
    assert core.active is not None
    assert core.active.name == "a"


def test_a_newcomer_of_better_priority_displaces() -> None:
    core = SingleActiveCore("t", 0)
    core.add(consumer("a", level=1))
    assert core.add(consumer("b", level=0)) is Change.DISPLACE


def test_who_follows_one_that_left_takes_over() -> None:
    core = SingleActiveCore("t", 0)
    one, other = consumer("a"), consumer("b")
    core.add(one)
    core.add(other)
    assert core.remove(one) is Change.TAKE_OVER
    assert core.active is other


def test_an_inactive_one_that_leaves_changes_nothing() -> None:
    core = SingleActiveCore("t", 0)
    one, other = consumer("a"), consumer("b")
    core.add(one)
    core.add(other)
    assert core.remove(other) is Change.NONE


def test_partitions_choose_by_their_index() -> None:
    core = SingleActiveCore("t", 1)
    core.add(consumer("a"))
    assert core.add(consumer("b")) is Change.DISPLACE
    assert core.active is not None
    assert core.active.name == "b"
