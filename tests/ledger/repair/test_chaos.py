"""Auto-recovery in the simulated cluster: no seed loses an entry, and planted bugs are found."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from magnetar_ledger.repair import fragment_copy, ledger_repair
from magnetar_ledger.repair.fragment_copy import FragmentCopier
from magnetar_ledger.repair.ledger_repair import LedgerRepair
from magnetar_metadata.repair_locks import RepairLocks

from tests.ledger.repair.chaos import Tally, run_seed

COUNT = int(os.environ.get("REPAIR_SEEDS", "8"))
SEED = int(os.environ.get("REPAIR_SEED", "0"))
PLANTED_SEEDS = 10
FOUND_BY = {
    "metadata_before_the_copy": 4,
    "locks_of_lost_replies_stay": 5,
    "every_replica_is_taken_for_whole": 1,
}
"""A seed that finds it; the others are looked at after it. Not named: the first."""


def test_whatever_happens_all_ledgers_are_whole_in_the_end() -> None:
    total = Tally()
    for seed in range(SEED, SEED + COUNT):
        total.add(run_seed(seed))
    print(total)
    # It is no test of a calm day.
    assert total.kills >= COUNT
    assert total.crashes >= COUNT
    assert total.sessions_ended >= COUNT
    assert total.cut_offs >= COUNT
    assert total.rotten >= COUNT
    assert total.unknown_outcomes >= 10 * COUNT
    assert total.repaired >= 10 * COUNT
    assert total.wipes >= COUNT // 8
    assert total.fenced >= COUNT // 8


Plant = Callable[[pytest.MonkeyPatch], None]


def metadata_before_the_copy(patch: pytest.MonkeyPatch) -> None:
    async def replace(self: Any, lock: Any, known: Any, fragment: Any) -> Any:
        bookies = fragment_copy.ensemble_of(known.metadata, fragment)
        (target,) = await self._tools.choose(1, bookies)
        written = await self._replacement.write(lock, known, fragment, target)
        await self.copier.copy_to(known.metadata, lock.ledger_id, fragment, target)
        return written

    patch.setattr(LedgerRepair, "_replace", replace)


def the_last_of_a_batch_is_not_copied(patch: pytest.MonkeyPatch) -> None:
    copy = FragmentCopier._copy

    async def short(
        self: Any,
        ledger: Any,
        metadata: Any,
        fragment: Any,
        ids: Sequence[int],
        *rest: Any,
        **o: Any,
    ) -> None:
        await copy(self, ledger, metadata, fragment, list(ids)[:-1] or ids, *rest, **o)

    patch.setattr(FragmentCopier, "_copy", short)


def locks_of_lost_replies_stay(patch: pytest.MonkeyPatch) -> None:
    """Found in earnest: nobody repaired the ledger until the worker's session ended."""

    async def nothing(self: Any) -> None:
        pass

    patch.setattr(RepairLocks, "_clear_left", nothing)


def every_replica_is_taken_for_whole(patch: pytest.MonkeyPatch) -> None:
    async def none(*_: Any) -> list[int]:
        return []

    patch.setattr(ledger_repair, "bad_entries", none)


@pytest.mark.parametrize(
    "plant",
    [
        metadata_before_the_copy,
        the_last_of_a_batch_is_not_copied,
        locks_of_lost_replies_stay,
        every_replica_is_taken_for_whole,
    ],
)
def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    for seed in (FOUND_BY.get(plant.__name__, 0), *range(PLANTED_SEEDS)):
        try:
            run_seed(seed)
        except AssertionError:
            return
    pytest.fail(f"not found within {PLANTED_SEEDS} seeds")
