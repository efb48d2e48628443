from typing import Any

from magnetar_broker.consume_limits import ConsumeLimits
from magnetar_broker.consumer import Consumer
from magnetar_broker.dispatch.hash_ranges import HashRing, SplitRanges, StickyRanges
from magnetar_broker.dispatch.key_shared import KeySharedCore, hash_ranges_of
from magnetar_broker.subscription_type import KeySharing
from magnetar_ledger.position import Position

from tests.broker.consuming import consumer, link_of

STICKY = KeySharing(sticky=True)


def sticky(first: int, last: int) -> Consumer:
    return consumer(f"{first}", hash_ranges=[(first, last)])


def core_with(*consumers: Consumer, sharing: KeySharing = STICKY, **limits: Any) -> KeySharedCore:
    core = KeySharedCore(ConsumeLimits(**limits), sharing)
    for one in consumers:
        core.add(one)
        core.flow(one, 100)
    arrange(core)
    return core


def arrange(core: KeySharedCore) -> None:
    while not core.replay.arranged:
        core.replay.arrange(1)


def deliver(core: KeySharedCore, one: Consumer, entry_id: int, hash_: int) -> None:
    one.charge(1, 0)
    core.delivered(one, 1, entry_id, hash_, 1)


def test_settings_say_how_hashes_are_shared_out() -> None:
    halves = ConsumeLimits(key_shared_consistent_hashing=False)
    assert isinstance(hash_ranges_of(KeySharing(), ConsumeLimits()), HashRing)
    assert isinstance(hash_ranges_of(KeySharing(), halves), SplitRanges)
    assert isinstance(hash_ranges_of(STICKY, halves), StickyRanges)


def test_an_entry_is_for_the_owner_of_its_hash_if_that_one_has_room() -> None:
    low, high = sticky(0, 9), sticky(10, 19)
    core = core_with(low, high)
    assert (core.receiver_of_new(5), core.receiver_of_new(15)) == (low, high)
    assert core.receiver_of_new(25) is None
    low.permits = 0
    link_of(high).writable = False
    assert core.receiver_of_new(5) is core.receiver_of_new(15) is None


def test_what_comes_behind_a_waiting_entry_of_its_hash_waits_too() -> None:
    low = sticky(0, 9)
    core = core_with(low)
    core.wait(1, 0, 5)
    assert core.receiver_of_new(5) is None
    assert core.receiver_of(5) is core.receiver_of_new(6) is low
    assert core.next_waiting() == Position(1, 0)


def moved(*, out_of_order: bool = False) -> tuple[KeySharedCore, Consumer, Consumer, int]:
    """A core where `first` holds entry 0 of a hash that is now the `second` one's."""
    first, second = consumer("a"), consumer("b")
    core = core_with(first, sharing=KeySharing(out_of_order=out_of_order))
    probe = core_with(consumer("a"), second, sharing=KeySharing()).ranges
    hash_ = probe.ranges_of(second)[0][1]
    deliver(core, first, 0, hash_)
    second = consumer("b")
    core.add(second)
    core.flow(second, 100)
    assert core.ranges.owner_of(hash_) is second
    return core, first, second, hash_


def test_a_hash_drains_until_its_former_consumer_has_acked() -> None:
    core, first, second, hash_ = moved()
    assert core.receiver_of_new(hash_) is None
    core.wait(1, 1, hash_)
    assert core.next_waiting() is None
    assert list(core.draining.held()) == [(hash_, first, 1, 1)]
    core.acked(first, Position(1, 0), 0)
    assert core.room_made
    assert core.next_waiting() == Position(1, 1)
    deliver(core, second, 1, hash_)
    assert core.next_waiting() is None
    assert core.receiver_of_new(hash_) is second


def test_what_is_told_of_hashes_that_drain() -> None:
    core, first, second, hash_ = moved()
    deliver(core, second, 9, next(n for n in range(99) if core.ranges.owner_of(n) is second))
    core.wait(1, 1, hash_)
    core.wait(1, 2, hash_)
    assert list(core.draining_hashes()) == [(hash_, first, 1, 2)]
    core.acked(first, Position(1, 0), 0)
    assert list(core.draining_hashes()) == []
    assert (first.drained_hashes, second.drained_hashes) == (1, 0)
    core.acked(second, Position(1, 9), 0)
    assert second.drained_hashes == 0, "it was never given to another"


def test_part_of_a_batch_acked_does_not_end_draining() -> None:
    core, first, _, hash_ = moved()
    core.acked(first, Position(1, 0), 1)
    assert core.receiver_of_new(hash_) is None


def test_what_a_former_consumer_gives_back_goes_to_the_new_one() -> None:
    core, first, second, hash_ = moved()
    core.wait(1, 1, hash_)
    assert core.redeliver(first, [Position(1, 0), Position(1, 0), Position(1, 7)]) == 1
    assert core.next_waiting() == Position(1, 0)
    assert core.receiver_of(hash_) is second


def test_what_a_leaving_consumer_held_goes_to_the_new_owner_in_order() -> None:
    core, first, second, hash_ = moved()
    core.wait(1, 1, hash_)
    core.remove(first)
    arrange(core)
    assert core.next_waiting() == Position(1, 0)
    deliver(core, second, 0, hash_)
    assert core.next_waiting() == Position(1, 1)


def test_disorder_may_be_allowed() -> None:
    core, first, second, hash_ = moved(out_of_order=True)
    assert core.receiver_of_new(hash_) is second
    core.wait(1, 1, hash_)
    assert core.receiver_of_new(hash_) is second
    core.acked(first, Position(1, 0), 0)
    core.redeliver(second, None)
    assert first.unacked == 0


def test_so_many_entries_may_wait() -> None:
    limits = {
        "key_shared_look_ahead_per_consumer": 3,
        "key_shared_look_ahead_per_subscription": 5,
    }
    core = core_with(sticky(0, 9), **limits)
    assert core.look_ahead == 3
    core.add(sticky(10, 19))
    assert core.look_ahead == 5
    core.wait(1, 0, 99)
    assert core.look_ahead == 4
    core.acked(core.consumers[0], Position(1, 0), 0)
    assert core.look_ahead == 5
    assert core.room_made


def test_nothing_is_left_of_the_last_consumer() -> None:
    core, first, second, hash_ = moved()
    core.wait(1, 1, hash_)
    core.remove(second)
    core.remove(first)
    arrange(core)
    assert len(core.replay) == 0
    assert core.draining.holder_of(hash_) is None
    assert core.ranges.owner_of(hash_) is None
