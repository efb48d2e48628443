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
    assert not core.frozen


def change(core: QuorumCore, replacements: dict[int, str]) -> int:
    segment = core.freeze(replacements)
    core.ensemble_changed(segment, replacements)
    return core.thaw()


def test_nothing_is_confirmed_while_a_segment_is_on_its_way() -> None:
    """BookKeeper issue 4651: the last confirmed entry stands still from the choice of a segment's
    first entry until the segment is in metadata.

    1. Entry 0 has one ack of two. 2. Bookie 2 fails: a segment that begins at 0 is written.
    3. The second ack of entry 0 comes. If it were confirmed now, the segment would begin at an
    entry that was confirmed with the old bookies.
    """
    core = make()
    push(core, 2)
    core.acked(0, [0])
    core.replica_failed(2, Status.TIMEOUT)
    segment = core.freeze({2: "b9"})
    assert segment == Segment(0, ("b0", "b1", "b9"))
    assert core.acked(1, [0]) == 0
    core.ensemble_changed(segment, [2])
    assert core.ensemble == ["b0", "b1", "b9"]
    assert core.thaw() == 1
    assert core.last_add_confirmed == 0


def test_entries_are_confirmed_between_failure_and_change() -> None:
    core = make()
    push(core, 2)
    core.replica_failed(2, Status.TIMEOUT)
    core.acked(0, [0])
    assert core.acked(1, [0]) == 1
    assert core.freeze({2: "b9"}).first_entry_id == 1


@pytest.mark.parametrize(
    ("sizes", "failed", "reachable"),
    [
        ((3, 3, 2), {1}, True),
        ((3, 3, 2), {0, 1}, False),
        ((3, 2, 2), {2}, False),
        ((4, 2, 1), {0, 2}, True),  # no write set has both
        ((4, 2, 1), {0, 1}, False),
        ((1, 1, 1), {0}, False),
    ],
)
def test_a_failed_place_may_stay_while_every_write_set_has_its_ack_quorum(
    sizes: tuple[int, int, int], failed: set[int], reachable: bool
) -> None:
    core = make(*sizes)
    *others, last = sorted(failed)
    for place in others:
        core.replica_failed(place, Status.UNAVAILABLE)
    assert core.can_lose(last) == reachable
    core.replica_failed(last, Status.UNAVAILABLE)
    assert core.reachable == reachable


def test_a_segment_is_made_of_failed_places_only() -> None:
    with pytest.raises(AssertionError):
        make().freeze({0: "b9"})


def test_acks_of_a_replaced_bookie_count_no_more() -> None:
    core = make()
    push(core, 1)
    core.acked(2, [0])
    core.replica_failed(2, Status.TIMEOUT)
    assert change(core, {2: "b9"}) == 0
    assert core.acked(0, [0]) == 0  # b2's ack is gone: one of two
    assert core.acked(2, [0]) == 1  # b9 stands at place 2 now


def test_acks_of_a_bookie_given_up_count_no_more_though_the_change_is_given_up() -> None:
    """Whether metadata has the old segment or the new one, nobody knows: what is confirmed now
    must have its ack quorum in both."""
    core = make()
    push(core, 1)
    core.acked(2, [0])
    core.replica_failed(2, Status.TIMEOUT)
    core.freeze({2: "b9"})
    assert core.thaw() == 0
    assert core.acked(0, [0]) == 0
    assert core.acked(1, [0]) == 1
    assert core.failed == {2}
    assert core.ensemble == ["b0", "b1", "b2"]


def test_pending_entries_are_sent_again_to_new_bookies_that_are_in_their_write_set() -> None:
    core = make(3, 2, 2)
    push(core, 4)
    core.acked(0, [0])
    core.acked(1, [0])
    core.replica_failed(2, Status.TIMEOUT)
    change(core, {2: "b9"})
    assert core.entries_for(2) == [1, 2]  # entry 3 is on places 0 and 1


def test_bookies_that_failed_not_long_ago_are_avoided() -> None:
    core = make(1, 1, 1)
    push(core, 2)
    core.replica_failed(0, Status.TIMEOUT)
    assert core.avoided_bookies() == {"b0"}
    change(core, {0: "b1"})
    core.replica_failed(0, Status.TIMEOUT)
    assert core.avoided_bookies() == {"b0", "b1"}
    change(core, {0: "b2"})
    core.acked(0, [0])
    core.forgive()
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
        self.given_up: set[str] = set()  # whose answers the shell drops
        self.under_way: list[tuple[str, int, int]] = []  # bookie, its place, entry
        self.segments = [Segment(0, tuple(self.core.ensemble))]
        self.confirmed = -1
        self.changing: tuple[Segment, dict[int, str]] | None = None

    def run(self) -> None:
        for _ in range(self.rng.randint(5, 60)):
            self.step()
        self.end_change()
        while self.core.failed:
            self.change()
            self.end_change()
        while self.under_way:
            self.answer()
        assert self.confirmed == self.core.last_pushed == self.core.last_add_confirmed
        for entry_id in range(self.confirmed + 1):
            self.check_copies(entry_id)

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
        elif self.changing is None:
            self.change()
        else:
            self.end_change()

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
        if self.core.ensemble[place] == bookie and bookie not in self.given_up:
            self.confirm(self.core.acked(place, batch))

    def fail(self) -> None:
        place = self.rng.randrange(self.quorum.ensemble_size)
        assert self.core.replica_failed(place, Status.TIMEOUT) is None

    def change(self) -> None:
        """A new segment goes to metadata: for some of the failed places."""
        failed = sorted(self.core.failed)
        if not failed:
            return
        replacements = {}
        for place in self.rng.sample(failed, self.rng.randint(1, len(failed))):
            self.given_up.add(self.core.ensemble[place])
            replacements[place] = f"b{self.bookies}"
            self.bookies += 1
        segment = self.core.freeze(replacements)
        assert segment.first_entry_id == self.confirmed + 1
        self.changing = segment, replacements

    def end_change(self) -> None:
        """It is there; or it is there and nobody hears of it; or it is not."""
        if self.changing is None:
            return
        segment, replacements = self.changing
        self.changing = None
        outcome = self.rng.choice(["known", "known", "unheard", "lost"])
        if outcome != "lost":
            if self.segments[-1].first_entry_id == segment.first_entry_id:
                self.segments.pop()
            self.segments.append(segment)
        if outcome == "known":
            self.core.ensemble_changed(segment, replacements)
            for place in sorted(replacements):
                for entry_id in self.core.entries_for(place):
                    self.send(entry_id, [place])
        self.confirm(self.core.thaw())

    def confirm(self, count: int) -> None:
        assert count == 0 or not self.core.frozen
        for _ in range(count):
            self.confirmed += 1
            self.check_copies(self.confirmed)
        assert self.core.last_add_confirmed == self.confirmed
        pending = self.core.last_pushed - self.confirmed
        assert len(self.core.payloads) == len(self.core.headers) == pending

    def check_copies(self, entry_id: int) -> None:
        segment = next(s for s in reversed(self.segments) if s.first_entry_id <= entry_id)
        bookies = [segment.bookies[i] for i in self.write_set(entry_id)]
        copies = sum((bookie, entry_id) in self.stored for bookie in bookies)
        assert copies >= self.quorum.ack_quorum


@pytest.mark.parametrize("part", range(4))
def test_random_schedules(part: int) -> None:
    """A confirmed entry has its ack quorum where metadata says that it is."""
    for seed in range(SEED + part, SEED + SCHEDULES, 4):
        try:
            Schedule(random.Random(seed)).run()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error
