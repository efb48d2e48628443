"""A seed decides everything: the same trace in every process, whatever PYTHONHASHSEED says."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from magnetar_runtime import sim

from tests.sim.cluster import Cluster
from tests.sim.standalone import Standalone
from tests.sim.workload import Machine, run

ROOT = Path(__file__).resolve().parent.parent.parent
SEEDS = ["1", "2", "3"]


def traces(hash_seed: str) -> str:
    """What another process says of these seeds."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim.workload", *SEEDS],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def test_the_same_seed_gives_the_same_trace_in_every_process() -> None:
    outputs = [traces(hash_seed) for hash_seed in ("0", "random")]
    assert len(set(outputs)) == 1, outputs
    digests = [line.split()[2] for line in outputs[0].splitlines()]
    assert len(digests) == len(set(digests)) == 2 * len(SEEDS), "another seed, another trace"


@pytest.mark.parametrize("machine", [Cluster, Standalone])
def test_a_run_does_not_depend_on_what_ran_before(
    machine: Callable[[sim.Simulation], Machine],
) -> None:
    first = run(5, machine)
    run(6, machine)
    assert run(5, machine) == first
