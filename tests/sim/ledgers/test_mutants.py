"""The simulated cluster can fail: each planted bug is found.

SIM_PLANTED_SEEDS=500 SIM_PLANTED_SEED=1000      looks among these seeds, all of them if need be
"""

import os

import pytest
from magnetar_runtime.errors import SimulationError

from tests.sim.ledgers.history import ViolationError
from tests.sim.ledgers.mutants import MUTANTS
from tests.sim.ledgers.world import run

COUNT = int(os.environ.get("SIM_PLANTED_SEEDS", "0"))
SEED = int(os.environ.get("SIM_PLANTED_SEED", "0"))
SEEDS_TO_FIND_A_MUTANT = 500

FOUND_BY = {
    "entry_reads_without_fence": 233,
    "no_lower_bound_of_the_lac": 31,
    "no_answer_is_no_such_entry": 29,
    "one_negative_too_few": 24,
    "changed_ensemble_not_in_metadata": 0,
    "recovery_tells_its_own_lac": 95,
    "ack_quorum_one_less": 1,
    "closed_before_entries_are_added_again": 1,
    "metadata_of_any_version_is_replaced": 0,
    "recovery_without_fence": 0,
    "lac_of_unsent_entries": 3,
    "length_counts_what_was_cut": 7,
    "receipt_before_sync": 55,
    "journal_without_sync": 9,
}
"""A seed that finds each from outside; the product's own assertions do not count."""


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The search begins where it found something last time; after a change a later seed does."""
    first = FOUND_BY[name]
    seeds = range(SEED, SEED + COUNT) if COUNT else range(first, SEEDS_TO_FIND_A_MUTANT)
    with MUTANTS[name](), pytest.raises(ViolationError) as found:
        for seed in seeds:
            _run_unless_stopped(seed)
    print(f"{name}: seed {seed}, {found.value}")
    if seed != first and not COUNT:
        with capsys.disabled():
            print(f"\n{name} is found by seed {seed} now, no more by {first}: let FOUND_BY say so")


def _run_unless_stopped(seed: int) -> None:
    """A run that the product itself ends, by an assertion or by not getting on, finds nothing."""
    try:
        run(seed)
    except ViolationError:
        raise
    except (AssertionError, SimulationError) as error:
        print(f"seed {seed} is ended by {error!r}")
