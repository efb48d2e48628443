"""All bookies of a ledger lose power together: nothing that was confirmed is lost.

BOOKIE_POWER_CUTS says how often; three times is the form of CI.
"""

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from magnetar_ledger.errors import LedgerError

from bench.errors import ServerError
from tests.crash.bookie_power_loop import BookiePowerLoop
from tests.crash.powered import MountedDrive, missing

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        missing() is not None and "BOOKIE_POWER_CUTS" not in os.environ,
        reason=f"power cuts of bookies are left out: {missing()}",
    ),
]

CUTS = int(os.environ.get("BOOKIE_POWER_CUTS", "3"))
SEED = int(os.environ.get("BOOKIE_POWER_SEED", str(random.randrange(1 << 32))))
CUTS_TO_FIND_A_MUTANT = 24

NewLoop = Callable[[str | None], BookiePowerLoop]


@pytest.fixture
def new_loop(tmp_path: Path) -> Iterator[NewLoop]:
    made: list[BookiePowerLoop] = []
    with MountedDrive(tmp_path / "drive") as drive:

        def make(mutant: str | None) -> BookiePowerLoop:
            loop = BookiePowerLoop(tmp_path, drive, random.Random(SEED), mutant)
            made.append(loop)
            loop.start()
            return loop

        yield make
        for loop in made:
            loop.close()


def test_all_bookies_lose_power_under_load(
    new_loop: NewLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = new_loop(None).run(CUTS)
    with capsys.disabled():
        print("\n" + json.dumps({"seed": SEED, **summary.as_json()}))
    assert summary.cuts == CUTS
    assert summary.lost == 0
    assert summary.confirmed > 100 * CUTS, "hardly any load"


def test_bookies_that_acknowledge_before_the_sync_are_found(
    new_loop: NewLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = new_loop("receipt_before_sync")
    loop.work_without_a_cut()  # one that did not even work would be found by every test
    try:
        harm = loop.run(CUTS_TO_FIND_A_MUTANT).lost > 0
        found = str(loop.summary.lost)
    except (ServerError, LedgerError, AssertionError) as error:
        harm, found = True, repr(error)  # it does not start, or what is read makes no sense
    with capsys.disabled():
        print(f"\nfound after {loop.summary.cuts} cuts with seed {SEED}: {found[:160]}")
    assert harm
