"""The rules of a ledger hold under random schedules, and planted defects are found."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from magnetar_ledger import bookie_calls, recovery
from magnetar_ledger.ack_window import QuorumAckWindow, SingleAckWindow
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

    async def change(self: LedgerWriter) -> Segment:
        failed = sorted(self._core.failed)
        avoided = self._core.avoided_bookies()
        chosen = await self._tools.placement.choose(len(failed), avoided, self._tools.rng)
        return self._core.next_segment(dict(zip(failed, chosen, strict=True)))

    patch.setattr(LedgerWriter, "_change_segment", change)


def confirmed_while_changing(patch: pytest.MonkeyPatch) -> None:
    """BookKeeper issue 4651, with a segment's first entry that was not looked at again."""

    def acked(self: QuorumCore, index: int, entry_ids: Any) -> int:
        self._acks.acked(index, entry_ids)
        return self._confirm()

    def next_segment(self: QuorumCore, replacements: Any) -> Segment:
        bookies = tuple(replacements.get(i, b) for i, b in enumerate(self.ensemble))
        return Segment(self.last_add_confirmed + 1, bookies)

    patch.setattr(QuorumCore, "acked", acked)
    patch.setattr(QuorumCore, "next_segment", next_segment)


def acks_of_replaced_bookies_count(patch: pytest.MonkeyPatch) -> None:
    for window in (SingleAckWindow, QuorumAckWindow):
        patch.setattr(window, "forget", lambda *_: None)


@pytest.mark.parametrize(
    ("plant", "seed"),
    [
        (no_fence_in_entry_reads, 2180),
        (search_below_the_last_segment, 90),
        (errors_count_as_absent, 100),
        (one_negative_too_few, 60),
        (no_wait_for_re_adds, 2850),
        (changed_ensemble_not_in_metadata, 0),
        (confirmed_while_changing, 0),
        (acks_of_replaced_bookies_count, 465),
    ],
)
def test_a_planted_defect_is_found(
    plant: Plant, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schedules can fail. `seed` is shortly before one that finds the defect, to save time;
    after a change of the schedules another one within the next thousands does.
    """
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        run(run_schedules(seed, 5000))
