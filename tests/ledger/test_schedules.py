"""The rules of a ledger hold under random schedules, and planted defects are found."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from magnetar_ledger import bookie_calls, recovery
from magnetar_ledger.ack_window import QuorumAckWindow, SingleAckWindow
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.quorum_core import QuorumCore
from magnetar_ledger.recovery_core import EntrySearch, LacCore, RecoveryCore
from magnetar_ledger.writer import LedgerWriter
from magnetar_metadata.ledger_metadata import Segment
from magnetar_proto.bookie import FENCE, LAST_ENTRY

from tests.ledger.schedules import Schedule
from tests.ledger.virtual_time import run

COUNT = int(os.environ.get("LEDGER_SCHEDULES", "200"))
SEED = int(os.environ.get("LEDGER_SEED", "0"))


async def run_schedules(first: int, count: int, step: int = 1) -> None:
    for seed in range(first, first + count, step):
        try:
            await Schedule(seed).run()
        except Exception as error:
            error.add_note(f"schedule of seed {seed}")
            raise


@pytest.mark.parametrize("part", range(4))
def test_random_schedules(part: int) -> None:
    """Confirmed entries survive in order with their copies; all clients see one end."""
    run(run_schedules(SEED + part, COUNT, 4))


Plant = Callable[[pytest.MonkeyPatch], None]


def no_fence_in_entry_reads(patch: pytest.MonkeyPatch) -> None:
    """BookKeeper issue 2614."""
    start_read = bookie_calls.start_read

    def start(
        bookie: Any, ledger_id: int, first: int, *args: Any, flags: int, **kwargs: Any
    ) -> None:
        flags = flags if first == LAST_ENTRY else flags & ~FENCE
        start_read(bookie, ledger_id, first, *args, flags=flags, **kwargs)

    patch.setattr(recovery, "start_read", start)


def search_below_the_last_segment(patch: pytest.MonkeyPatch) -> None:
    """BookKeeper issue 2615."""
    make = LacCore.__init__

    def init(self: LacCore, *args: Any) -> None:
        make(self, *args)
        self.last_add_confirmed = -1

    patch.setattr(LacCore, "__init__", init)


def errors_count_as_absent(patch: pytest.MonkeyPatch) -> None:
    """BookKeeper issues 2908, 2909."""
    patch.setattr(EntrySearch, "unknown", EntrySearch.negative)


def one_negative_too_few(patch: pytest.MonkeyPatch) -> None:
    def absent(self: EntrySearch) -> bool:
        return self._negatives >= max(1, self._quorum.coverage - 1)

    patch.setattr(EntrySearch, "absent", property(absent))


def no_wait_for_re_adds(patch: pytest.MonkeyPatch) -> None:
    go_on = RecoveryCore._go_on

    def hurry(self: RecoveryCore) -> Any:
        if self._end_found:
            self._confirmed = self._next - 1
        return go_on(self)

    patch.setattr(RecoveryCore, "_go_on", hurry)


def changed_ensemble_not_in_metadata(patch: pytest.MonkeyPatch) -> None:
    """BookKeeper issue 1591."""

    async def write(self: LedgerWriter, segment: Segment) -> None:
        pass

    patch.setattr(LedgerWriter, "_write_segment", write)


def confirmed_while_changing(patch: pytest.MonkeyPatch) -> None:
    """BookKeeper issue 4651: with acks of the bookies that are being replaced."""

    def acked(self: QuorumCore, index: int, entry_ids: Any) -> int:
        self._acks.acked(index, entry_ids)
        return self._confirm()

    def freeze(self: QuorumCore, replacements: Any) -> Segment:
        bookies = tuple(replacements.get(i, b) for i, b in enumerate(self.ensemble))
        return Segment(self.last_add_confirmed + 1, bookies)

    def ensemble_changed(self: QuorumCore, segment: Segment, replaced: Any) -> None:
        for index in replaced:
            self._acks.forget(index, self.last_add_confirmed)
        self.ensemble = list(segment.bookies)
        self.failed.difference_update(replaced)

    patch.setattr(QuorumCore, "acked", acked)
    patch.setattr(QuorumCore, "freeze", freeze)
    patch.setattr(QuorumCore, "ensemble_changed", ensemble_changed)
    patch.setattr(LedgerWriter, "_replicas_given_up", lambda *_: None)


def acks_of_replaced_bookies_count(patch: pytest.MonkeyPatch) -> None:
    for window in (SingleAckWindow, QuorumAckWindow):
        patch.setattr(window, "forget", lambda *_: None)


@pytest.mark.parametrize(
    ("plant", "seed"),
    [
        (no_fence_in_entry_reads, 14080),
        (search_below_the_last_segment, 1000),
        (errors_count_as_absent, 30),
        (one_negative_too_few, 80),
        (no_wait_for_re_adds, 80),
        (changed_ensemble_not_in_metadata, 30),
        (confirmed_while_changing, 30),
        (acks_of_replaced_bookies_count, 400),
    ],
)
def test_a_planted_defect_is_found(
    plant: Plant, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schedules can fail. `seed` is shortly before one that finds the defect, to save time;
    after a change of the schedules another one within the next thousands does.
    """
    plant(monkeypatch)
    with pytest.raises((AssertionError, LedgerError)):
        run(run_schedules(seed, 5000))
