"""The simulated cluster can fail: each planted bug is found."""

import pytest
from magnetar_runtime.errors import SimulationError

from tests.sim.ledgers.mutants import MUTANTS
from tests.sim.ledgers.world import run

SEEDS_TO_FIND_A_MUTANT = 500


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("no_lower_bound_of_the_lac", 3),
        ("changed_ensemble_not_in_metadata", 0),
        ("one_negative_too_few", 3),
        ("ack_quorum_one_less", 0),
        ("closed_before_entries_are_added_again", 16),
        ("metadata_of_any_version_is_replaced", 0),
        ("recovery_without_fence", 0),
        ("lac_of_unsent_entries", 0),
        ("receipt_before_sync", 12),
    ],
)
def test_a_planted_bug_is_found(name: str, seed: int) -> None:
    """`seed` is one that found it, to save time; after a change a later one does."""
    with MUTANTS[name](), pytest.raises((AssertionError, SimulationError)):
        for each in range(seed, SEEDS_TO_FIND_A_MUTANT):
            run(each)
