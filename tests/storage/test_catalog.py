"""The catalog counts what points into each log, from the index alone."""

from pathlib import Path

import pytest
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.slices import Slices
from magnetar_storage.catalog import Catalog
from magnetar_storage.lmdb_index import LmdbIndex
from magnetar_storage.location_index import IndexBatch, Row

from tests.storage.support import InlineWorker


async def test_rows_are_counted_as_they_come_and_go_and_anew(tmp_path: Path) -> None:
    index = LmdbIndex(str(tmp_path), 1 << 24)
    catalog = Catalog(index, InlineWorker())
    rows = [Row(1, first, first, 1 + first % 3, 0, 1) for first in range(1200)]
    async with catalog.lock:
        await catalog.commit(IndexBatch(), rows)
        await catalog.commit(IndexBatch(), (), [row for row in rows if row.log_id == 2])
    assert catalog.rows_in_log == {1: 400, 2: 0, 3: 400}
    assert catalog.dead_logs([1, 2, 3, 4]) == [2, 4]
    again = Catalog(index, InlineWorker())
    assert await again.count_rows(Slices(SystemClock()), (5,)) == {1}
    assert again.rows_in_log == {1: 400, 3: 400}
    with pytest.raises(AssertionError):
        await catalog.commit(IndexBatch())
    index.close()
