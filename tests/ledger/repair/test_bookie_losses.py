"""When a bookie counts as lost: not before its time, and not because the store was away."""

from magnetar_ledger.repair.bookie_losses import BookieLosses

ALL = {"a", "b", "c"}


def test_a_bookie_is_lost_after_the_delay_without_a_break() -> None:
    losses = BookieLosses(600_000)
    losses.observed(ALL, 0)
    assert losses.next_ms(1000) is None
    losses.observed({"a", "b"}, 100)
    assert losses.next_ms(1000) == 1100
    assert losses.lost(1000, 1099) == set()
    assert losses.lost(1000, 1100) == {"c"}
    losses.observed(ALL, 1050)
    assert losses.lost(1000, 2000) == set()
    losses.observed({"a", "b"}, 1200)
    assert losses.lost(1000, 2199) == set()
    assert losses.lost(1000, 2200) == {"c"}


def test_bookies_that_ledgers_name_are_missed_from_then_on() -> None:
    losses = BookieLosses(600_000)
    losses.observed(ALL, 0)
    losses.named({"a", "old"}, 500)
    losses.named({"old"}, 900)
    assert losses.lost(1000, 1499) == set()
    assert losses.lost(1000, 1500) == {"old"}


def test_if_nobody_is_there_nobody_is_lost() -> None:
    losses = BookieLosses(600_000)
    losses.observed(ALL, 0)
    losses.observed(set(), 10)
    assert losses.lost(0, 10**9) == set()
    assert losses.next_ms(0) is None
    losses.observed(ALL, 10**9)
    assert losses.lost(0, 10**9) == set()


def test_if_most_are_missing_it_takes_longer() -> None:
    losses = BookieLosses(600_000)
    losses.observed(ALL, 0)
    losses.observed({"a"}, 10)
    assert losses.lost(0, 600_009) == set()
    assert losses.next_ms(0) == 600_010
    assert losses.lost(0, 600_010) == {"b", "c"}
    losses.observed({"a", "b"}, 20)
    assert losses.lost(0, 20) == {"c"}  # one of three is an ordinary loss


def test_an_audited_loss_is_not_audited_again_until_it_was_back() -> None:
    losses = BookieLosses(600_000)
    losses.observed(ALL, 0)
    losses.observed({"a", "b"}, 10)
    losses.audited({"c"})
    assert losses.next_ms(0) is None
    assert losses.lost(0, 10) == {"c"}  # it is still lost, for who looks for another reason
    losses.observed(ALL, 20)
    losses.observed({"a", "b"}, 30)
    assert losses.next_ms(0) == 30


def test_when_the_store_was_away_the_time_begins_anew() -> None:
    losses = BookieLosses(600_000)
    losses.observed(ALL, 0)
    losses.observed({"a", "b"}, 10)
    losses.restart(5000)
    assert losses.lost(1000, 5999) == set()
    assert losses.lost(1000, 6000) == {"c"}


def test_who_is_forgotten_counts_no_more() -> None:
    losses = BookieLosses(600_000)
    losses.observed({"a", "b"}, 0)
    losses.named({"x", "y", "z"}, 0)
    assert losses.missing == {"x", "y", "z"}
    losses.forget({"x", "y"})
    assert losses.lost(0, 0) == {"z"}
