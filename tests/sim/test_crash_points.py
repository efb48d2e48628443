"""Every step of a workload is a place for a power cut; mutants show that the cuts see something."""

import os
from itertools import count

import pytest

from tests.sim.crash_points import POLICIES, Counts, check, record
from tests.sim.mutants import MUTANTS, Mutant

OPERATIONS = 500
SHARDS = 2
EVERY = 4
"""Of the cuts of a shard this many-th; `make nightly` takes all of more seeds."""
NIGHTLY_SEEDS = int(os.environ.get("CRASH_POINT_SEEDS", "1"))
NIGHTLY_SEED = int(os.environ.get("CRASH_POINT_SEED", "0"))


def report(counts: Counts, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{counts}")


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_cut_at_many_a_step_loses_nothing(shard: int, capsys: pytest.CaptureFixture[str]) -> None:
    recorder = record(1, OPERATIONS)
    counts = check(recorder, shard, SHARDS * EVERY, policies=1)
    report(counts, capsys)
    assert counts.wrongs == []
    assert recorder.compacted > 0
    assert len(recorder.cuts) // SHARDS > 400
    assert sum(counts.steps.values()) >= len(recorder.cuts) // (SHARDS * EVERY)
    # Every kind of step is among them; the power went again in most recoveries.
    assert {cut.step for cut in recorder.cuts} >= {
        "allocate", "commit", "create", "make_directory", "rename", "sync", "sync_directory",
        "unlink", "write",
    }  # fmt: skip
    assert counts.recoveries > 1.9 * sum(counts.steps.values())


@pytest.mark.nightly
def test_a_cut_at_every_step_with_every_loss_policy(capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(NIGHTLY_SEED, NIGHTLY_SEED + NIGHTLY_SEEDS):
        counts = check(record(seed, OPERATIONS), seed, 1, policies=len(POLICIES))
        report(counts, capsys)
        assert counts.wrongs == [], f"seed {seed}"


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS.keys())
def test_a_planted_bug_is_found(mutant: Mutant, capsys: pytest.CaptureFixture[str]) -> None:
    recoveries = 0
    with mutant():
        for seed in count(1):
            counts = check(record(seed, 150), seed, 1, policies=1)
            recoveries += counts.recoveries
            if counts.wrongs or seed == 3:
                break
    assert counts.wrongs, f"not found in {recoveries} recoveries"
    with capsys.disabled():
        print(f"\nfound after {recoveries} recoveries: {counts.wrongs[0]}")
