"""All windows against sets of (entry, replica)."""

import random
import time

import pytest
from magnetar_ledger.ack_window import (
    AckWindow,
    FullAckWindow,
    QuorumAckWindow,
    SingleAckWindow,
    ack_window,
)
from magnetar_ledger.striping import Quorum


def test_the_form_follows_the_ensemble() -> None:
    assert isinstance(ack_window(Quorum(1, 1, 1), -1), SingleAckWindow)
    assert isinstance(ack_window(Quorum(3, 3, 2), -1), FullAckWindow)
    assert isinstance(ack_window(Quorum(2, 1, 1), -1), QuorumAckWindow)


class Model:
    """The plain form: all acks as pairs."""

    def __init__(self, quorum: Quorum) -> None:
        self.quorum = quorum
        self.acks: set[tuple[int, int]] = set()

    def owed(self, through: int, first: int) -> set[tuple[int, int]]:
        entries = range(first, through + 1)
        return {(e, i) for e in entries for i in self.quorum.write_set(e)} - self.acks

    def done_through(self, last_pushed: int) -> int:
        done = -1
        while done < last_pushed:
            acks = sum((done + 1, i) in self.acks for i in range(self.quorum.ensemble_size))
            if acks < self.quorum.ack_quorum:
                break
            done += 1
        return done


@pytest.mark.parametrize(
    "quorum", [Quorum(1, 1, 1), Quorum(3, 3, 2), Quorum(3, 3, 3), Quorum(4, 2, 1), Quorum(5, 3, 2)]
)
@pytest.mark.parametrize("seed", range(20))
def test_windows_do_what_the_model_does(quorum: Quorum, seed: int) -> None:
    rng = random.Random(seed)
    window: AckWindow = ack_window(quorum, -1)
    model = Model(quorum)
    last_pushed, confirmed = -1, -1
    for _ in range(60):
        match rng.randrange(6):
            case 0 | 1:
                last_pushed += rng.randrange(4)
            case 2 | 3 if owed := model.owed(last_pushed, 0):
                index = rng.choice(sorted(owed))[1]
                entries = sorted(e for e, i in owed if i == index)
                batch = entries if rng.random() < 0.5 else rng.sample(entries, 1)
                window.acked(index, batch)
                model.acks |= {(e, index) for e in batch}
            case 4 if rng.random() < 0.2:
                index = rng.randrange(quorum.ensemble_size)
                window.forget(index, confirmed)
                model.acks -= {(e, i) for e, i in model.acks if i == index and e > confirmed}
            case _:
                count = window.done_through() - confirmed
                window.confirmed(count)
                confirmed += count
        assert window.done_through() == model.done_through(last_pushed)
        for through in (last_pushed, rng.randint(confirmed, last_pushed)):
            owing = {i for _, i in model.owed(through, confirmed + 1)}
            assert window.lagging(through) == owing


def test_a_batch_without_gaps_costs_no_memory_per_entry() -> None:
    for quorum in (Quorum(1, 1, 1), Quorum(3, 3, 2)):
        window = ack_window(quorum, -1)
        for index in range(quorum.ack_quorum):
            window.acked(index, range(10**9))
        assert window.done_through() == 10**9 - 1


def test_what_was_looked_at_is_not_looked_at_again() -> None:
    """Scenario: 100,000 entries wait for a force, and acks of later ones come one by one. Each of
    them took 160 ms."""
    count, quorum = 100_000, Quorum(4, 3, 2)
    window = ack_window(quorum, -1)
    for index in range(quorum.ensemble_size):
        window.acked(index, [e for e in range(count) if index in quorum.write_set(e)])
    began_s = time.thread_time()
    for entry_id in range(count, count + 300):
        window.acked(entry_id % quorum.ensemble_size, [entry_id])
        assert window.done_through() == count - 1
        assert window.lagging(count - 1) == set()
    assert time.thread_time() - began_s < 3


def test_what_is_confirmed_without_a_replica_is_owed_by_nobody() -> None:
    """1. The third bookie acknowledges 1 and 2, never 0. 2. The others confirm 0 to 2. 3. Its late
    ack of 0 changes nothing, and it is not behind."""
    window = FullAckWindow(Quorum(3, 3, 2), -1)
    window.acked(2, [1, 2])
    window.acked(0, [0, 1])
    assert window.done_through() == -1
    window.acked(1, [0])
    assert window.done_through() == 1
    window.confirmed(2)
    window.acked(2, [0])
    window.acked(2, [3])
    window.acked(0, [2, 3])
    assert window.done_through() == 3
    assert window.lagging(3) == {1}
