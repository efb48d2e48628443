"""Bookies, writers and recoverers under drawn faults: BookKeeper's invariants hold."""

import os

import pytest

from tests.sim.ledgers.world import Coverage, run

COUNT = int(os.environ.get("SIM_LEDGERS_SEEDS", "8"))
SEED = int(os.environ.get("SIM_LEDGERS_SEED", "0"))
PARTS = 4

AT_LEAST = {
    "crashes": 1_000,
    "partitions": 500,
    "ensemble_changes": 200,
    "re_adding_recoveries": 200,
    "competing_recoveries": 50,
    "unknown_outcomes": 50,
}
"""Per 200 seeds."""

GUESSED_LENGTHS_AT_MOST = 0.01
"""Of all ledgers: nobody who knew the length of these could be asked."""


@pytest.mark.parametrize("part", range(PARTS))
def test_what_was_confirmed_is_read_in_the_end(part: int) -> None:
    total = Coverage(seeds=0)
    for seed in range(SEED + part, SEED + COUNT, PARTS):
        total.add(run(seed)[0])
    print(total)  # for docs/reliability.md; pytest -s
    if total.seeds < 25:
        return  # of so few it cannot be asked
    assert total.guessed_lengths <= GUESSED_LENGTHS_AT_MOST * total.ledgers
    for what, least in AT_LEAST.items():
        found = getattr(total, what)
        assert found >= least * total.seeds / 200, f"{found} {what} in {total.seeds} seeds"
