import pytest
from magnetar_broker.dispatch.draining_hashes import DrainingHashes

from tests.broker.consuming import consumer


def test_a_hash_is_held_until_its_last_entry_is_released() -> None:
    draining = DrainingHashes()
    one, other = consumer("a"), consumer("b")
    draining.sent(one, 5)
    draining.sent(one, 5)
    draining.sent(other, 6)
    assert (draining.holder_of(5), draining.holder_of(6), draining.holder_of(7)) == (
        one,
        other,
        None,
    )
    draining.blocked(5)
    assert list(draining.held()) == [(5, one, 2, 1), (6, other, 1, 0)]
    assert not draining.released(5)
    assert draining.released(5)
    assert draining.holder_of(5) is None
    draining.sent(other, 5)
    assert list(draining.held()) == [(6, other, 1, 0), (5, other, 1, 0)]
    draining.clear()
    assert list(draining.held()) == []


def test_two_consumers_never_hold_one_hash() -> None:
    draining = DrainingHashes()
    draining.sent(consumer("a"), 5)
    with pytest.raises(AssertionError, match="one consumer per key"):
        draining.sent(consumer("b"), 5)
