"""Who is asked for a force, and when it is over."""

from magnetar_ledger.force_round import ForceRound


def test_a_place_is_asked_once_when_it_owes_nothing() -> None:
    force = ForceRound(9, [0, 1, 2])
    assert force.ask_now({1}) == [0, 2]
    assert force.ask_now({1}) == []
    assert force.asks
    assert force.ask_now(set()) == [1]
    assert not force.asks
    for place in (2, 0):
        force.answered(place)
        assert not force.over
    force.answered(1)
    assert force.over


def test_a_failed_place_is_not_waited_for_and_its_new_bookie_is_asked() -> None:
    force = ForceRound(9, [0, 1])
    assert force.ask_now({1}) == [0]
    force.failed(1)
    force.failed(0)
    assert force.over
    force.replaced([0])
    assert not force.over
    assert force.ask_now(set()) == [0]
    force.answered(0)
    assert force.over
