from magnetar_broker.consumer import Consumer
from magnetar_broker.dispatch.draining_hashes import DrainingHashes
from magnetar_broker.dispatch.keyed_replay import KeyedReplay
from magnetar_ledger.position import Position

from tests.broker.consuming import consumer

A, B = consumer("a"), consumer("b")


class Setup:
    def __init__(self) -> None:
        self.owners: dict[int, Consumer] = {1: A, 2: B}
        self.draining = DrainingHashes()
        self.replay = KeyedReplay(self.owners.get, self.draining)

    def wait(self, entry_id: int, hash_: int) -> None:
        self.replay.keep_hash(1, entry_id, hash_)
        self.replay.add(1, entry_id)

    def rearrange(self) -> None:
        self.replay.rearrange()
        while not self.replay.arranged:
            self.replay.arrange(100)


def test_each_consumer_finds_its_own() -> None:
    setup = Setup()
    for entry_id, hash_ in enumerate((2, 1, 2, 1)):
        setup.wait(entry_id, hash_)
    replay = setup.replay
    assert (replay.first_of(A), replay.first_of(B)) == (Position(1, 1), Position(1, 0))
    replay.take(1, 1)
    assert replay.first_of(A) == Position(1, 3)
    replay.discard(1, 3)
    assert replay.first_of(A) is None
    assert not replay.waits(1)
    assert replay.waits(2)
    assert len(replay) == 2


def test_entries_of_a_draining_hash_are_with_nobody_until_it_is_unblocked() -> None:
    setup = Setup()
    setup.draining.sent(B, 1)
    setup.wait(5, 1)
    assert setup.replay.first_of(A) is None
    assert setup.replay.waits(1)
    assert setup.draining.released(1)
    assert setup.replay.unblock(1)
    assert setup.replay.first_of(A) == Position(1, 5)
    assert not setup.replay.unblock(1)


def test_hashes_that_nobody_has_wait_for_an_owner() -> None:
    setup = Setup()
    setup.wait(5, 3)
    setup.owners[3] = B
    setup.rearrange()
    assert setup.replay.first_of(B) == Position(1, 5)


def test_entries_of_unknown_hash_are_sorted_in() -> None:
    setup = Setup()
    setup.replay.add(1, 5)
    setup.rearrange()
    assert setup.replay.unsorted.first_run(9) == (Position(1, 5), 1)
    setup.replay.sort_in(1, 5, 2)
    assert len(setup.replay.unsorted) == 0
    assert setup.replay.first_of(B) == Position(1, 5)
    assert len(setup.replay) == 1


def test_a_hash_is_remembered_until_the_entry_is_discarded() -> None:
    setup = Setup()
    setup.wait(5, 1)
    setup.wait(5, 1)
    setup.replay.take(1, 5)
    assert setup.replay.hash_of(1, 5) == 1
    setup.replay.add(1, 5)
    assert setup.replay.first_of(A) == Position(1, 5)
    setup.replay.discard(1, 5)
    assert setup.replay.hash_of(1, 5) is None
    setup.replay.discard(1, 5)
    setup.wait(6, 2)
    setup.replay.clear()
    assert len(setup.replay) == 0
    assert setup.replay.hash_of(1, 6) is setup.replay.first_of(B) is None


def test_entries_find_their_places_some_at_a_time() -> None:
    setup = Setup()
    for entry_id in range(10):
        setup.wait(entry_id, 1)
    setup.owners[1] = B
    setup.replay.rearrange()
    steps = 0
    setup.replay.discard(1, 0)  # acked meanwhile
    setup.replay.take(1, 1)
    while not setup.replay.arranged:
        setup.replay.arrange(3)
        steps += 1
    assert steps == 4
    assert setup.replay.first_of(B) == Position(1, 2)
    assert setup.replay.first_of(A) is None


def test_what_is_left_behind_is_freed_some_at_a_time() -> None:
    setup = Setup()
    for number in range(10):
        setup.draining.sent(B, 100 + number)
        setup.wait(number, 100 + number)
    setup.replay.rearrange()
    steps = 0
    while not setup.replay.arranged:
        setup.replay.arrange(5)
        steps += 1
    assert steps == 4  # two for the places that they had, two for the entries
    assert all(setup.replay.unblock(100 + number) for number in range(10))
