"""Power cuts under load, on a drive that loses what was not synced: nothing acknowledged is lost.

POWER_CUTS=5 is the form of CI, more run by `make nightly`; the default is a quick look.
"""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pulsar
import pytest

from bench.errors import ServerError
from tests.crash.kill_loop import KillLoop, Summary
from tests.crash.mutants import MUTANTS
from tests.crash.powered import MountedDrive, PoweredMagnetar, missing

pytestmark = [
    pytest.mark.official,
    pytest.mark.skipif(
        missing() is not None and "POWER_CUTS" not in os.environ,
        reason=f"power cuts of the real process are left out: {missing()}",
    ),
]

CUTS = int(os.environ.get("POWER_CUTS", "2"))
SEED = int(os.environ.get("POWER_SEED", str(random.randrange(1 << 32))))
READY_LIMIT_S = 10.0
"""Starts here are not measured: the drive is a Python program that shares the processor."""
CUTS_TO_FIND_A_MUTANT = 24
"""The quick mutant does harm in about one cut of three: 24 miss it once in 17,000 runs."""
MUTANT_PATIENCE_S = 5.0
QUICK_MUTANTS = ("receipt_before_sync",)


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[MountedDrive]:
    with MountedDrive(tmp_path / "drive") as drive:
        yield drive


def cut_again_and_again(server: PoweredMagnetar, loop: KillLoop, cuts: int) -> Summary:
    """The summary of so many cuts; none more after one that did harm."""
    try:
        return loop.run(cuts, lambda: loop.clean_so_far)
    finally:
        server.kill()


def test_power_cuts(
    tmp_path: Path, drive: MountedDrive, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(SEED)
    server = PoweredMagnetar(tmp_path, drive, rng)
    summary = cut_again_and_again(server, KillLoop(server, rng), CUTS)
    with capsys.disabled():
        print("\n" + json.dumps({"seed": SEED, **summary.as_json()}))
    assert summary.clean, summary
    assert summary.cycles == CUTS
    assert summary.acknowledged > 100 * CUTS, "hardly any load"
    assert max(summary.ready_s) < READY_LIMIT_S


@pytest.mark.parametrize("mutant", MUTANTS if "POWER_CUTS" in os.environ else QUICK_MUTANTS)
def test_mutants_are_found(
    mutant: str, tmp_path: Path, drive: MountedDrive, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(SEED)
    server = PoweredMagnetar(tmp_path, drive, rng, mutant=mutant)
    # Without a cut it works: one that did not even start would be found by every test.
    server.start()
    server.stop()
    loop = KillLoop(server, rng, MUTANT_PATIENCE_S)
    try:
        found = repr(cut_again_and_again(server, loop, CUTS_TO_FIND_A_MUTANT))
        harm = not loop.summary.clean
    except (ServerError, AssertionError, pulsar.PulsarException) as error:
        # It does not start, or reads or sends that never end.
        found, harm = repr(error), True
    with capsys.disabled():
        print(f"\n{mutant}: {loop.summary.cycles + 1} cuts with seed {SEED}: {found[:160]}")
    assert harm
