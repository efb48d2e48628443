"""Minority corruption: files of one of three bookies are flipped and cut, and it is started again.

Every entry is still read as it was written, no ledger is closed short, and the bad copies are
replaced in place.
"""

import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.crash.minority import BOOKIES, MinorityCluster

ROUNDS = int(os.environ.get("MINORITY_ROUNDS", "4"))
SEED = int(os.environ.get("MINORITY_SEED", "1"))
LOGS = "ledgers/entries/*.log"
JOURNALS = "journal/*.journal"
INDEX = "ledgers/index/data.mdb"


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[MinorityCluster]:
    cluster = MinorityCluster(tmp_path, random.Random(SEED))
    await cluster.start()
    yield cluster
    await cluster.stop()


@pytest.mark.parametrize("patterns", [[LOGS], [JOURNALS], [INDEX], [LOGS, JOURNALS, INDEX]])
async def test_one_of_three_is_spoilt(cluster: MinorityCluster, patterns: list[str]) -> None:
    rng = random.Random(SEED)
    bad = 0
    for _ in range(ROUNDS):
        await cluster.write()
        box = cluster.boxes[rng.randrange(BOOKIES)]
        harm = await cluster.harm(box, patterns, rng.choice((1, 3, 20)))
        await cluster.read_all()
        bad += await cluster.bad_copies()
        await cluster.scrub(box)
        assert await cluster.bad_copies() == 0, harm.done
        assert cluster.boxes[0].bookie.failure is None
    assert cluster.mended >= bad
    made_anew = [box for box in cluster.boxes if [*box.directory.glob("ledgers/index.damaged-*")]]
    assert bad or made_anew, "nothing was spoilt that counts"
    assert bool(made_anew) == (INDEX in patterns)


async def test_without_the_repair_copies_stay_bad(cluster: MinorityCluster) -> None:
    """The check above can fail."""
    await cluster.write()
    await cluster.harm(cluster.boxes[0], [LOGS], 20)
    await cluster.read_all()
    bad = await cluster.bad_copies()
    assert bad > 0
    await cluster.read_all()
    assert await cluster.bad_copies() == bad


async def test_a_lost_log_comes_back_and_the_damaged_one_goes(cluster: MinorityCluster) -> None:
    for _ in range(2):
        await cluster.write()
    box = cluster.boxes[1]
    await box.crash()
    lost, spoilt = box.logs[:2]
    lost.unlink()
    spoilt.write_bytes(bytes(1000))
    await box.open()
    cluster._bookies[box.bookie.bookie_id] = box.bookie
    await cluster.read_all()
    assert await cluster.bad_copies() > 0
    await cluster.scrub(box)
    assert await cluster.bad_copies() == 0
    assert spoilt not in box.logs
