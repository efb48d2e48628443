"""The rules of a ledger hold under random schedules, and planted defects are found."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from magnetar_ledger.ack_window import QuorumAckWindow, SingleAckWindow
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.quorum_core import QuorumCore
from magnetar_ledger.writer import LedgerWriter
from magnetar_metadata.ledger_metadata import Segment

from tests.ledger.schedules import Schedule
from tests.ledger.virtual_time import run
from tests.sim.ledgers import mutants

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


@contextmanager
def confirmed_while_changing() -> Iterator[None]:
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

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QuorumCore, "acked", acked)
        patch.setattr(QuorumCore, "freeze", freeze)
        patch.setattr(QuorumCore, "ensemble_changed", ensemble_changed)
        patch.setattr(LedgerWriter, "_replicas_given_up", lambda *_: None)
        yield


@contextmanager
def acks_of_replaced_bookies_count() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for window in (SingleAckWindow, QuorumAckWindow):
            patch.setattr(window, "forget", lambda *_: None)
        yield


@pytest.mark.parametrize(
    ("plant", "seed"),
    [
        (mutants.entry_reads_without_fence, 14080),
        (mutants.no_lower_bound_of_the_lac, 1000),
        (mutants.no_answer_is_no_such_entry, 30),
        (mutants.one_negative_too_few, 80),
        (mutants.closed_before_entries_are_added_again, 80),
        (mutants.changed_ensemble_not_in_metadata, 30),
        (confirmed_while_changing, 30),
        (acks_of_replaced_bookies_count, 400),
    ],
)
def test_a_planted_defect_is_found(plant: mutants.Mutant, seed: int) -> None:
    """The schedules can fail. `seed` is shortly before one that finds the defect, to save time;
    after a change of the schedules another one within the next thousands does.
    """
    with plant(), pytest.raises((AssertionError, LedgerError)):
        run(run_schedules(seed, 5000))
