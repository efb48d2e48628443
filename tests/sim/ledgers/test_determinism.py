"""A seed decides everything: the same trace in every process, whatever PYTHONHASHSEED says."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SEEDS = ["1", "2"]


def digests(hash_seed: str) -> list[str]:
    """What another process says of these seeds."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim.ledgers.world", *SEEDS],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [line.split()[1] for line in done.stdout.splitlines()]


def test_the_same_seed_gives_the_same_trace_in_every_process() -> None:
    first = digests("0")
    assert first == digests("4242")
    assert len(set(first)) == len(SEEDS), "another seed, another trace"
