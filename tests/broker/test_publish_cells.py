"""Publishes are counted by how long they took and how large they were."""

import pytest
from magnetar_broker.publish_cells import NOTHING_SIZED, NOTHING_TIMED, PublishCells


def test_entries_are_timed_by_the_chunk_that_brought_them() -> None:
    cells = PublishCells()
    cells.began(3, 0)
    cells.began(2, 600_000)
    cells.ended(4, 1_100_000)  # three took 1,100 us, one 500
    cells.ended(1, 2_000_600_000)
    assert cells.latencies == NOTHING_TIMED
    cells.roll()
    assert cells.latencies == ([1, 0, 3, 0, 0, 0, 0, 0, 0, 1], 3 * 1_100 + 500 + 2_000_000)
    cells.roll()
    assert cells.latencies == NOTHING_TIMED


def test_what_failed_is_not_timed() -> None:
    cells = PublishCells()
    cells.began(3, 0)
    cells.began(2, 1_000)
    cells.failed(4)
    cells.ended(1, 2_000)
    cells.roll()
    assert cells.latencies == ([1] + [0] * 9, 1)


@pytest.mark.parametrize(
    ("sizes", "counts"),
    [
        ([100, 128], [2, 0, 0, 0, 0, 0, 0, 0, 0]),
        ([129], [0, 1, 0, 0, 0, 0, 0, 0, 0]),
        ([128, 129, 5 << 20], [1, 1, 0, 0, 0, 0, 0, 0, 1]),
        ([512, 1024, 2048, 4096, 16384, 102400, 1 << 20], [0, 1, 1, 1, 1, 1, 1, 1, 0]),
    ],
)
def test_entries_are_counted_by_size(sizes: list[int], counts: list[int]) -> None:
    cells = PublishCells()
    cells.stored(sizes, sum(sizes))
    cells.roll()
    assert cells.sizes == (counts, sum(sizes))
    cells.roll()
    assert cells.sizes == NOTHING_SIZED
