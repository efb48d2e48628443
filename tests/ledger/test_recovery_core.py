"""Where a ledger ends: each rule of recovery, and the scenario that broke it elsewhere."""

from collections.abc import Sequence

import pytest
from magnetar_ledger.digest import EntryDigest
from magnetar_ledger.errors import NotEnoughBookiesError, UnauthorizedLedgerError
from magnetar_ledger.recovery_core import (
    AddAgain,
    BeginAdds,
    Effect,
    EntrySearch,
    Fail,
    Finish,
    LacCore,
    ReadEntries,
    ReadLac,
    RecoveryCore,
)
from magnetar_ledger.striping import Quorum
from magnetar_metadata.ledger_metadata import DigestType, LedgerMetadata, LedgerState, Segment
from magnetar_proto.bookie import Status

LEDGER = 7
DIGEST = EntryDigest.of(DigestType.CRC32C, b"")


def metadata(
    ensemble: int = 3, write: int = 3, ack: int = 2, first_entry_id: int = 0
) -> LedgerMetadata:
    segments = [Segment(0, tuple(f"old{i}" for i in range(ensemble)))]
    if first_entry_id:
        segments.append(Segment(first_entry_id, tuple(f"new{i}" for i in range(ensemble))))
    return LedgerMetadata(ensemble, write, ack, tuple(segments), LedgerState.IN_RECOVERY)


def payload(entry_id: int) -> bytes:
    return b"%010d" % entry_id


def entry(entry_id: int, lac: int) -> bytes:
    content = payload(entry_id)
    return DIGEST.header(LEDGER, entry_id, lac, 10 * (entry_id + 1), content) + content


def make(meta: LedgerMetadata, batch: int = 10, pending: int = 100) -> RecoveryCore:
    return RecoveryCore(LEDGER, meta, DIGEST, batch_entries=batch, pending_entries=pending)


def after_lac(
    meta: LedgerMetadata, lac: int, batch: int = 10, pending: int = 100, heard: int = 1
) -> tuple[RecoveryCore, list[Effect]]:
    """A core that has just learned the LAC, from an entry so far behind it; what it wants then."""
    core = make(meta, batch, pending)
    core.start()
    effects: list[Effect] = []
    for index in range(meta.ensemble_size):
        effects += core.lac_answered(index, Status.OK, [entry(lac + heard, lac)])
    return core, effects


class TestLac:
    def answers(
        self, meta: LedgerMetadata, *answers: tuple[Status, Sequence[bytes]]
    ) -> tuple[LacCore, Exception | None]:
        core = LacCore(LEDGER, meta, DIGEST)
        error = None
        for index, (status, entries) in enumerate(answers):
            error = error or core.answered(index, status, entries)
        return core, error

    def test_the_highest_lac_counts(self) -> None:
        core, _ = self.answers(
            metadata(),
            (Status.OK, [entry(5, 3)]),
            (Status.OK, [entry(6, 4)]),
            (Status.OK, [entry(4, 2)]),
        )
        assert core.last_add_confirmed == 4
        assert core.lengths.at(4) == (50, True)  # entry 4 itself is there, with an older LAC

    def test_no_entry_and_no_ledger_are_answers(self) -> None:
        core, error = self.answers(
            metadata(), (Status.NO_ENTRY, []), (Status.NO_LEDGER, []), (Status.TIMEOUT, [])
        )
        assert core.covered
        assert error is None
        assert core.last_add_confirmed == -1

    @pytest.mark.parametrize(
        "status",
        [Status.TIMEOUT, Status.UNAVAILABLE, Status.IO_ERROR, Status.UNKNOWN_LEDGER_STATE],
    )
    def test_errors_are_none(self, status: Status) -> None:
        core, error = self.answers(metadata(), (status, []), (Status.NO_ENTRY, []), (status, []))
        assert not core.covered
        assert isinstance(error, NotEnoughBookiesError)

    def test_an_entry_with_a_wrong_digest_is_none(self) -> None:
        broken = entry(5, 4)[:-1] + b"?"
        core, error = self.answers(
            metadata(), (Status.OK, [broken]), (Status.NO_ENTRY, []), (Status.OK, [broken])
        )
        assert not core.covered
        assert core.last_add_confirmed == -1
        assert isinstance(error, NotEnoughBookiesError)
        core, _ = self.answers(metadata(), (Status.OK, []), (Status.OK, [b"short"]))
        assert not core.covered

    def test_a_wrong_password_is_the_end(self) -> None:
        _, error = self.answers(metadata(), (Status.UNAUTHORIZED, []))
        assert isinstance(error, UnauthorizedLedgerError)

    @pytest.mark.parametrize(
        ("sizes", "needed"),
        [((3, 3, 2), 2), ((3, 3, 3), 1), ((3, 3, 1), 3), ((1, 1, 1), 1), ((3, 2, 2), 2)],
    )
    def test_coverage_meets_every_ack_quorum(
        self, sizes: tuple[int, int, int], needed: int
    ) -> None:
        core = LacCore(LEDGER, metadata(*sizes), DIGEST)
        for count in range(sizes[0]):
            assert core.covered is (count >= needed)
            core.answered(count, Status.NO_ENTRY, [])

    def test_every_write_set_of_a_striped_ledger_is_covered(self) -> None:
        """With ack quorum 1 a single unheard bookie may hold a confirmed entry."""
        core = LacCore(LEDGER, metadata(4, 2, 1), DIGEST)
        for index in range(3):
            core.answered(index, Status.NO_ENTRY, [])
            assert not core.covered
        core.answered(3, Status.NO_ENTRY, [])
        assert core.covered

    def test_nothing_below_the_last_segment_is_looked_for(self) -> None:
        """BookKeeper issue 2615: the bookies of a new segment know nothing of the entries before.

        1. The writer confirms 0-9, then changes the ensemble: a segment from 10 on. 2. It crashes
        before an entry reaches the new bookies. 3. Looking for entry 0 there would find it absent,
        and close the ledger empty.
        """
        core, _ = self.answers(
            metadata(first_entry_id=10), (Status.NO_LEDGER, []), (Status.NO_LEDGER, [])
        )
        assert core.last_add_confirmed == 9
        # An entry re-sent to the new segment can carry a LAC from before the change.
        core, _ = self.answers(metadata(first_entry_id=10), (Status.OK, [entry(10, 3)]))
        assert core.last_add_confirmed == 9


class TestSearch:
    def test_absent_only_with_a_coverage_of_negatives(self) -> None:
        search = EntrySearch(Quorum(3, 3, 2), 4)
        assert search.index == 1
        search.negative()
        assert not search.absent
        search.negative()
        assert search.absent

    def test_unknown_is_neither_there_nor_absent(self) -> None:
        search = EntrySearch(Quorum(3, 3, 2), 0)
        search.unknown()
        search.unknown()
        search.negative()
        assert search.exhausted
        assert not search.absent

    def test_ack_quorum_one_needs_all_to_deny(self) -> None:
        search = EntrySearch(Quorum(3, 3, 1), 0)
        search.negative()
        search.negative()
        assert not search.absent
        search.negative()
        assert search.absent


def test_all_bookies_of_the_last_segment_are_fenced_first() -> None:
    assert make(metadata()).start() == [ReadLac(0), ReadLac(1), ReadLac(2)]


def test_reading_goes_on_behind_the_lac_in_write_set_order() -> None:
    _, effects = after_lac(metadata(), 3)
    assert effects == [BeginAdds(3, 40), ReadEntries(4 % 3, 4, 10)]


def test_lac_answers_beyond_coverage_change_nothing() -> None:
    core = make(metadata())
    core.lac_answered(0, Status.NO_ENTRY, [])
    assert core.lac_answered(1, Status.NO_ENTRY, [])
    assert core.lac_answered(2, Status.OK, [entry(5, 4)]) == []
    assert core.lac_answered(2, Status.TIMEOUT, []) == []


def test_found_entries_are_added_again_and_the_end_waits_for_them() -> None:
    core, _ = after_lac(metadata(), 3)
    effects = core.entries_answered(1, Status.OK, [entry(4, 3), entry(5, 3)])
    assert effects == [
        AddAgain(4, payload(4), 50),
        AddAgain(5, payload(5), 60),
        ReadEntries(0, 6, 10),
    ]
    assert core.entries_answered(0, Status.NO_ENTRY, []) == [ReadEntries(1, 6, 10)]
    assert core.entries_answered(1, Status.NO_ENTRY, []) == []  # the end, but 4 and 5 pend
    assert core.adds_confirmed(4) == []
    assert core.adds_confirmed(5) == [Finish(5, 60, exact=True)]


def test_an_empty_ledger_ends_at_once() -> None:
    core = make(metadata())
    core.lac_answered(0, Status.NO_LEDGER, [])
    assert core.lac_answered(1, Status.NO_LEDGER, [])[-1] == ReadEntries(0, 0, 10)
    core.entries_answered(0, Status.NO_ENTRY, [])
    assert core.entries_answered(1, Status.NO_ENTRY, []) == [Finish(-1, 0, exact=True)]


def test_an_entry_that_is_cut_tells_the_length_before_it() -> None:
    core, _ = after_lac(metadata(), 3)
    core.entries_answered(1, Status.NO_ENTRY, [])
    assert core.entries_answered(2, Status.NO_LEDGER, []) == [Finish(3, 40, exact=True)]


def test_one_further_behind_counts_too_much() -> None:
    core, _ = after_lac(metadata(), 3, heard=3)
    core.entries_answered(1, Status.NO_ENTRY, [])
    assert core.entries_answered(2, Status.NO_LEDGER, []) == [Finish(3, 60, exact=False)]


def test_an_entry_of_a_new_segment_tells_the_length_before_it() -> None:
    """1. Entry 10 is sent with LAC 3. 2. Up to 9 is confirmed, and a segment from 10 on begun.
    3. Entry 10 is sent again, as it was, to the new bookies; one of three gets it. 4. The writer
    crashes, and so do the bookies of the old segment, who alone have entry 9, and then that one.
    """
    core = make(metadata(first_entry_id=10))
    core.lac_answered(0, Status.NO_ENTRY, [])
    core.lac_answered(1, Status.OK, [entry(10, 3)])
    core.entries_answered(1, Status.TIMEOUT, [])
    core.entries_answered(0, Status.NO_ENTRY, [])
    effects = core.entries_answered(2, Status.NO_ENTRY, [])
    assert effects == [Finish(9, 100, exact=True)]


def test_one_replica_that_has_the_entry_is_enough() -> None:
    core, _ = after_lac(metadata(), 3)
    core.entries_answered(1, Status.NO_ENTRY, [])
    effects = core.entries_answered(2, Status.OK, [entry(4, 3)])
    assert effects[0] == AddAgain(4, payload(4), 50)


def test_too_few_certain_answers_end_in_failure_not_in_a_short_ledger() -> None:
    """BookKeeper issues 2908, 2909: an error is no "no such entry"."""
    core, _ = after_lac(metadata(), 3)
    core.entries_answered(1, Status.NO_ENTRY, [])
    core.entries_answered(2, Status.IO_ERROR, [])
    (failure,) = core.entries_answered(0, Status.TIMEOUT, [])
    assert isinstance(failure, Fail)
    assert isinstance(failure.error, NotEnoughBookiesError)
    assert core.adds_confirmed(3) == []
    assert core.entries_answered(0, Status.OK, []) == []


def test_a_wrong_digest_says_nothing_about_the_entry() -> None:
    core, _ = after_lac(metadata(), 3)
    broken = entry(4, 3)[:-1] + b"?"
    assert core.entries_answered(1, Status.OK, [broken]) == [ReadEntries(2, 4, 10)]
    assert core.entries_answered(2, Status.NO_ENTRY, []) == [ReadEntries(0, 4, 10)]
    (failure,) = core.entries_answered(0, Status.OK, [broken])
    assert isinstance(failure, Fail)


def test_a_batch_ends_before_a_broken_entry() -> None:
    core, _ = after_lac(metadata(), 3)
    broken = entry(5, 3)[:-1] + b"?"
    effects = core.entries_answered(1, Status.OK, [entry(4, 3), broken, entry(6, 3)])
    assert effects == [AddAgain(4, payload(4), 50), ReadEntries(2, 5, 10)]


def test_striped_ledgers_are_read_entry_by_entry() -> None:
    core, effects = after_lac(metadata(3, 2, 2), 3)
    assert effects[-1] == ReadEntries(1, 4, 1)
    # More than was asked for is not looked at: the bookie need not have what follows.
    assert core.entries_answered(1, Status.OK, [entry(4, 3), entry(5, 3)]) == [
        AddAgain(4, payload(4), 50),
        ReadEntries(2, 5, 1),
    ]


def test_reading_waits_while_too_many_adds_pend() -> None:
    core, _ = after_lac(metadata(), 3, pending=2)
    effects = core.entries_answered(1, Status.OK, [entry(e, 3) for e in (4, 5, 6)])
    assert [type(e) for e in effects] == [AddAgain] * 3
    assert core.adds_confirmed(4) == []
    assert core.adds_confirmed(5) == [ReadEntries(1, 7, 10)]
    assert core.adds_confirmed(6) == []  # that read is under way


def test_a_failed_lac_read_fails_the_recovery() -> None:
    core = make(metadata())
    (failure,) = core.lac_answered(0, Status.UNAUTHORIZED, [])
    assert isinstance(failure, Fail)
    assert core.lac_answered(1, Status.NO_ENTRY, []) == []


def test_a_bookie_that_hangs_is_asked_last() -> None:
    core = make(metadata())
    core.start()
    core.lac_answered(1, Status.OK, [entry(3, 2)])
    effects = core.lac_answered(2, Status.OK, [entry(3, 2)])
    assert effects[-1] == ReadEntries(1, 3, 10)  # 0 would be the first
    effects = core.entries_answered(1, Status.OK, [entry(3, 2), entry(4, 2), entry(5, 2)])
    assert effects[-1] == ReadEntries(1, 6, 10)
    core.lac_answered(0, Status.OK, [entry(3, 2)])  # it was only slow
    effects = core.entries_answered(1, Status.OK, [entry(6, 2), entry(7, 2), entry(8, 2)])
    assert effects[-1] == ReadEntries(0, 9, 10)


def test_one_time_out_is_enough_to_be_asked_last() -> None:
    core, effects = after_lac(metadata(), 2)
    assert effects[-1] == ReadEntries(0, 3, 10)
    assert core.entries_answered(0, Status.TIMEOUT, []) == [ReadEntries(1, 3, 10)]
    effects = core.entries_answered(1, Status.OK, [entry(3, 2), entry(4, 2), entry(5, 2)])
    assert effects[-1] == ReadEntries(1, 6, 10)
    assert core.doubted == {0}
