"""The simulated index keeps the contract of the real one, and its commits are one boundary."""

import errno
from pathlib import Path
from random import Random

import pytest
from magnetar_runtime.sim import Fault, LossPolicy, SimDisk
from magnetar_storage.errors import IndexFailedError
from magnetar_storage.journal_format import JournalMark
from magnetar_storage.lmdb_index import LmdbIndex
from magnetar_storage.location_index import IndexBatch
from magnetar_storage.sim_index import SimIndex

from tests.storage.index_contract import ROWS, IndexContract, Reopen


@pytest.fixture
def disk() -> SimDisk:
    disk = SimDisk()
    disk.make_directories("index")
    return disk


@pytest.fixture
def reopen(disk: SimDisk) -> Reopen:
    return lambda: SimIndex(disk, "index")


class TestSimIndex(IndexContract):
    pass


def test_a_power_cut_leaves_a_commit_or_what_was_before(disk: SimDisk) -> None:
    cuts: list[SimDisk] = []
    disk.on_step = lambda _step, _path: cuts.append(disk.fork())
    index = SimIndex(disk, "index")
    disk.sync_directory("index")
    cuts.clear()
    index.commit(IndexBatch(marks={0: JournalMark(1, 0, 1)}))
    index.commit(IndexBatch(marks={0: JournalMark(2, 0, 2)}, row_puts=[ROWS[0].encode()]))
    lost = SimIndex(cuts[1].crashed(LossPolicy.NOTHING, Random(1)), "index")
    assert (lost.marks[0], lost.floor(1, 5)) == (JournalMark(1, 0, 1), None)
    kept = SimIndex(cuts[1].crashed(LossPolicy.EVERYTHING, Random(1)), "index")
    assert (kept.marks[0], kept.floor(1, 5)) == (JournalMark(2, 0, 2), ROWS[0])


def test_a_commit_that_fails_changes_nothing(disk: SimDisk) -> None:
    index = SimIndex(disk, "index")
    disk.faults.append(Fault("commit", error=errno.ENOSPC))
    with pytest.raises(IndexFailedError):
        index.commit(IndexBatch(row_puts=[ROWS[0].encode()]))
    assert index.floor(1, 5) is None
    index.commit(IndexBatch(row_puts=[ROWS[0].encode()]))
    assert index.floor(1, 5) == ROWS[0]


def test_it_lies_where_the_real_one_lies_and_its_name_needs_a_sync_too(
    disk: SimDisk, tmp_path: Path
) -> None:
    LmdbIndex(str(tmp_path / "index"), 1 << 20).close()
    index = SimIndex(disk, "index")
    assert set(disk.names("index")) <= {each.name for each in (tmp_path / "index").iterdir()}
    index.commit(IndexBatch(row_puts=[ROWS[0].encode()]))
    lost = SimIndex(disk.crashed(LossPolicy.NOTHING, Random(1)), "index")
    assert lost.floor(1, 5) is None
    disk.sync_directory("index")
    kept = SimIndex(disk.crashed(LossPolicy.NOTHING, Random(1)), "index")
    assert kept.floor(1, 5) == ROWS[0]
