"""The nightly runner: which chunks are owed, and how results of several machines come together."""

import json
from pathlib import Path

import pytest

from tools import nightly
from tools.nightly import Part, Result

KILL = Part("kill", "t.py::kill", 100, 25, "CYCLES", "SEED")
FRAMES = Part("frames", "t.py::frames", 5, 2, "FRAMES", "SEED")


def row(passed: bool = True, count: int = 25, seed: int = 0) -> Result:
    return {"passed": passed, "count": count, "seed": seed}


def test_parts_file_is_readable_and_names_tests_that_exist() -> None:
    for part in nightly.read_parts(nightly.PARTS_FILE.read_text()):
        assert (nightly.ROOT / part.test.partition("::")[0]).exists(), part
        assert 0 < part.chunk <= part.count


def test_reads_parts() -> None:
    text = """
    [kill]
    test = "t.py::kill"
    count = 100
    chunk = 25
    count_variable = "CYCLES"
    seed_variable = "SEED"
    """
    assert nightly.read_parts(text) == [KILL]


def test_the_last_chunk_is_what_is_left() -> None:
    assert [FRAMES.chunk_count(number) for number in range(FRAMES.chunks)] == [2, 2, 1]


def test_parts_take_turns_and_what_is_done_is_left_out() -> None:
    done = {"kill": {"1": row()}, "frames": {"0": row()}}
    owed = [(part.name, number) for part, number in nightly.open_chunks([KILL, FRAMES], done, 1, 1)]
    assert owed == [("kill", 0), ("frames", 1), ("kill", 2), ("frames", 2), ("kill", 3)]


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_shards_divide_the_chunks(shards: int) -> None:
    shares = [
        list(nightly.open_chunks([KILL, FRAMES], {}, shard, shards))
        for shard in range(1, shards + 1)
    ]
    together = [chunk for share in shares for chunk in share]
    assert len(together) == len(set(together)) == KILL.chunks + FRAMES.chunks


def test_merging_keeps_all_chunks_and_every_failure() -> None:
    first = {"source": "s", "chunks": {"kill": {"0": row(), "1": row()}}}
    second = {"source": "s", "chunks": {"kill": {"1": row(passed=False)}, "frames": {"0": row()}}}
    expected = {"kill": {"0": row(), "1": row(passed=False)}, "frames": {"0": row()}}
    assert nightly.merged(first, second)["chunks"] == expected
    assert nightly.merged(second, first)["chunks"] == expected
    assert first["chunks"] == {"kill": {"0": row(), "1": row()}}


def test_results_of_other_sources_are_not_merged() -> None:
    with pytest.raises(ValueError, match="different sources"):
        nightly.merged({"source": "a", "chunks": {}}, {"source": "b", "chunks": {}})


def test_a_changed_source_begins_anew(tmp_path: Path) -> None:
    file = tmp_path / "nightly.json"
    nightly.save_result(file, {"source": "old", "commit": "c", "chunks": {"kill": {"0": row()}}})
    assert nightly.load_result(file, "old")["chunks"] == {"kill": {"0": row()}}
    assert nightly.load_result(file, "new")["chunks"] == {}
    assert json.loads(file.read_text())["source"] == "old"


def test_the_summary_counts_what_passed_and_names_failing_seeds() -> None:
    chunks = {"kill": {"0": row(), "1": row(passed=False, seed=7)}}
    assert nightly.summary([KILL, FRAMES], chunks) == [
        "kill: 25 of 100 passed, FAILED with seed 7",
        "frames: 0 of 5 passed",
    ]
