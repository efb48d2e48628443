"""The writer's decisions: single steps, then thousands of random schedules against the rules."""

import os
import random
from collections.abc import Sequence

import pytest
from magnetar_ledger.digest import EntryDigest, lac_of, length_of
from magnetar_ledger.errors import LedgerFencedError, UnauthorizedLedgerError
from magnetar_ledger.quorum_core import QuorumCore
from magnetar_ledger.striping import Quorum
from magnetar_metadata.ledger_metadata import DigestType, Segment
from magnetar_proto.bookie import Status

DIGEST = EntryDigest.of(DigestType.CRC32C, b"")
SCHEDULES = int(os.environ.get("QUORUM_SCHEDULES", "1000"))
SEED = int(os.environ.get("QUORUM_SEED", "0"))


def make(ensemble: int = 3, write: int = 3, ack: int = 2) -> QuorumCore:
    bookies = [f"b{i}" for i in range(ensemble)]
    return QuorumCore(1, Quorum(ensemble, write, ack), bookies, DIGEST)


def push(core: QuorumCore, count: int) -> None:
    for _ in range(count):
        core.push([b"payload"])


def test_entries_are_numbered_and_carry_lac_and_length() -> None:
    core = make()
    core.push([b"12345"])
    assert core.last_pushed == 0
    core.acked(0, [0])
    assert core.acked(1, [0]) == 1
    (header,) = core.push([b"678"])
    assert (core.last_pushed, lac_of(header), length_of(header)) == (1, 0, 8)
    assert core.entries([1]) == ([header], [b"678"])
    assert core.confirmed_length == 5


def test_an_ack_quorum_confirms_in_order() -> None:
    core = make()
    push(core, 3)
    assert core.acked(0, [1, 2]) == 0
    assert core.acked(1, [1, 2]) == 0  # done, but entry 0 is not
    assert core.acked(2, [0]) == 0
    assert core.acked(1, [0]) == 3
    assert core.last_add_confirmed == 2
    assert core.payloads == core.headers == []


def test_late_acks_of_confirmed_entries_are_nothing() -> None:
    core = make()
    push(core, 1)
    core.acked(0, [0])
    core.acked(1, [0])
    assert core.acked(2, [0]) == 0


@pytest.mark.parametrize(
    ("status", "error"),
    [(Status.FENCED, LedgerFencedError), (Status.UNAUTHORIZED, UnauthorizedLedgerError)],
)
def test_some_answers_are_the_end(status: Status, error: type[Exception]) -> None:
    core = make()
    assert isinstance(core.replica_failed(1, status), error)


@pytest.mark.parametrize(
    "status", [s for s in Status if s not in (Status.OK, Status.FENCED, Status.UNAUTHORIZED)]
)
def test_all_others_ask_for_another_bookie(status: Status) -> None:
    core = make()
    assert core.replica_failed(1, status) is None
    assert core.failed == {1}
    assert core.frozen


def test_nothing_is_confirmed_between_failure_and_change() -> None:
    """BookKeeper issue 4651: the last confirmed entry stands still while a change is prepared.

    1. Entry 0 has one ack of two. 2. Bookie 2 fails: a segment that begins at 0 is prepared.
    3. The second ack of entry 0 comes. If it were confirmed now, the segment would begin at an
    entry that was confirmed with the old bookies.
    """
    core = make()
    push(core, 2)
    core.acked(0, [0])
    core.replica_failed(2, Status.TIMEOUT)
    assert core.acked(1, [0]) == 0
    segment = core.next_segment({2: "b9"})
    assert segment == Segment(0, ("b0", "b1", "b9"))
    assert core.ensemble_changed(segment) == [2]
    assert core.thaw() == 1
    assert core.last_add_confirmed == 0


def test_a_segment_is_only_made_while_frozen() -> None:
    with pytest.raises(AssertionError):
        make().next_segment({0: "b9"})


def test_acks_of_a_replaced_bookie_count_no_more() -> None:
    core = make()
    push(core, 1)
    core.acked(2, [0])
    core.replica_failed(2, Status.TIMEOUT)
    core.ensemble_changed(core.next_segment({2: "b9"}))
    assert core.thaw() == 0
    assert core.acked(0, [0]) == 0  # b2's ack is gone: one of two
    assert core.acked(2, [0]) == 1  # b9 stands at place 2 now


def test_pending_entries_are_sent_again_to_new_bookies_that_are_in_their_write_set() -> None:
    core = make(3, 2, 2)
    push(core, 4)
    core.acked(0, [0])
    core.acked(1, [0])
    core.replica_failed(2, Status.TIMEOUT)
    core.ensemble_changed(core.next_segment({2: "b9"}))
    assert core.entries_for(2) == [1, 2]  # entry 3 is on places 0 and 1


def test_bookies_that_failed_just_before_are_avoided_until_an_entry_is_confirmed() -> None:
    core = make(1, 1, 1)
    push(core, 2)
    core.replica_failed(0, Status.TIMEOUT)
    assert core.avoided_bookies() == {"b0"}
    core.ensemble_changed(core.next_segment({0: "b1"}))
    core.replica_failed(0, Status.TIMEOUT)
    assert core.avoided_bookies() == {"b0", "b1"}
    core.ensemble_changed(core.next_segment({0: "b2"}))
    core.thaw()
    core.acked(0, [0])
    core.replica_failed(0, Status.TIMEOUT)
    assert core.avoided_bookies() == {"b2"}


def test_a_stop_takes_back_the_length_of_pending_entries() -> None:
    core = make()
    push(core, 2)
    core.acked(0, [0])
    core.acked(1, [0])
    assert core.stop() == 1
    assert core.length == core.confirmed_length == len(b"payload")
    assert core.payloads == []


def test_lagging_replicas_are_those_that_owe_acks_and_have_not_failed() -> None:
    core = make()
    push(core, 3)
    core.acked(0, [0, 1])
    core.replica_failed(1, Status.TIMEOUT)
    assert core.lagging(1) == {2}
    assert core.lagging(99) == {0, 2}


def test_recovered_entries_keep_the_length_that_their_writer_noted() -> None:
    core = QuorumCore(1, Quorum(1, 1, 1), ["b0"], DIGEST, last_entry_id=6, length=999)
    header = core.push_recovered(b"abc", 40)
    assert (core.last_pushed, lac_of(header), length_of(header)) == (7, 6, 40)
    core.acked(0, [7])
    assert core.confirmed_length == 999 + 3


class Schedule:
    """A random shell: sends, loses, answers late, changes the ensemble; and checks every step."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        ensemble = rng.randint(1, 4)
        write = rng.randint(1, ensemble)
        self.quorum = Quorum(ensemble, write, rng.randint(1, write))
        self.core = make(ensemble, write, self.quorum.ack_quorum)
        self.bookies = ensemble  # how many there were so far
        self.stored: set[tuple[str, int]] = set()  # what bookies acknowledged, ever
        self.under_way: list[tuple[str, int, int]] = []  # bookie, its place, entry
        self.segments = [Segment(0, tuple(self.core.ensemble))]
        self.confirmed = -1

    def run(self) -> None:
        for _ in range(self.rng.randint(5, 60)):
            self.step()
        while self.core.failed or self.core.frozen:
            self.change()
        while self.under_way:
            self.answer()
        assert self.confirmed == self.core.last_pushed == self.core.last_add_confirmed

    def step(self) -> None:
        action = self.rng.random()
        if action < 0.35:
            self.core.push([b"x"])
            entry_id = self.core.last_pushed
            self.send(entry_id, [i for i in self.write_set(entry_id) if i not in self.core.failed])
        elif action < 0.80:
            self.answer()
        elif action < 0.90:
            self.fail()
        else:
            self.change()

    def write_set(self, entry_id: int) -> Sequence[int]:
        return self.quorum.write_set(entry_id)

    def send(self, entry_id: int, places: Sequence[int]) -> None:
        self.under_way += [(self.core.ensemble[i], i, entry_id) for i in places]

    def answer(self) -> None:
        if not self.under_way:
            return
        bookie, place, entry_id = self.rng.choice(self.under_way)
        batch = [entry_id]
        if self.rng.random() < 0.5:
            batch = sorted(e for b, _, e in self.under_way if b == bookie)
        self.under_way = [u for u in self.under_way if not (u[0] == bookie and u[2] in batch)]
        self.stored |= {(bookie, e) for e in batch}
        if self.core.ensemble[place] == bookie:  # else the shell drops the answer
            self.confirm(self.core.acked(place, batch))

    def fail(self) -> None:
        place = self.rng.randrange(self.quorum.ensemble_size)
        assert self.core.replica_failed(place, Status.TIMEOUT) is None

    def change(self) -> None:
        if not self.core.failed:
            return
        replacements = {}
        for place in self.core.failed:
            replacements[place] = f"b{self.bookies}"
            self.bookies += 1
        segment = self.core.next_segment(replacements)
        assert segment.first_entry_id == self.confirmed + 1
        if self.segments[-1].first_entry_id == segment.first_entry_id:
            self.segments.pop()
        self.segments.append(segment)
        for place in self.core.ensemble_changed(segment):
            for entry_id in self.core.entries_for(place):
                self.send(entry_id, [place])
        self.confirm(self.core.thaw())

    def confirm(self, count: int) -> None:
        assert count == 0 or not self.core.frozen
        for _ in range(count):
            self.confirmed += 1
            segment = next(s for s in reversed(self.segments) if s.first_entry_id <= self.confirmed)
            bookies = [segment.bookies[i] for i in self.write_set(self.confirmed)]
            copies = sum((bookie, self.confirmed) in self.stored for bookie in bookies)
            assert copies >= self.quorum.ack_quorum
        assert self.core.last_add_confirmed == self.confirmed
        pending = self.core.last_pushed - self.confirmed
        assert len(self.core.payloads) == len(self.core.headers) == pending


@pytest.mark.parametrize("part", range(4))
def test_random_schedules(part: int) -> None:
    """A confirmed entry has its ack quorum where metadata says that it is."""
    for seed in range(SEED + part, SEED + SCHEDULES, 4):
        try:
            Schedule(random.Random(seed)).run()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error
