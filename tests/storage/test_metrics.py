"""The metrics of a bookie: every counter has a name, and values arrive."""

import errno
from dataclasses import fields
from pathlib import Path

from magnetar_runtime.counters import Histogram, Kind, Rows
from magnetar_storage import metrics
from magnetar_storage.counters import BookieCounters
from magnetar_storage.disk_watch import Room

from tests.storage.support import Box
from tests.storage.test_journals import several


def test_every_counter_is_published() -> None:
    counters = BookieCounters()
    for number, field in enumerate(fields(BookieCounters), start=1):
        if field.name != "journal_sync_buckets":
            setattr(counters, field.name, number * 1_000_000)
    values = {
        sample.value
        for family in metrics.families(counters)
        for sample in family.samples
        if not isinstance(sample.value, Histogram)
    }
    published = values | {value * 1000 for value in values}
    hidden = {
        field.name
        for number, field in enumerate(fields(BookieCounters), start=1)
        if number * 1_000_000 not in published
    }
    assert hidden == {
        "journal_sync_ns",
        "journal_sync_buckets",
        "blocks_read_ahead",
        "block_bytes_read",
    }


def test_requests_are_counted_by_their_ends() -> None:
    counters = BookieCounters(
        adds=5, adds_refused=1, reads=8, reads_ok=5, reads_failed=2, read_bytes=9
    )
    found = {
        family.name: [(dict(sample.labels).get("success"), sample.value) for sample in samples]
        for family in metrics.families(counters)
        if not isinstance(samples := family.samples, Rows)
    }
    adds, reads = [("true", 5), ("false", 1)], [("true", 5), ("false", 2)]
    for name, ends in (("ADD", adds), ("READ", reads)):
        assert found[f"bookkeeper_server_{name}_ENTRY_count"] == ends
        assert found[f"bookkeeper_server_{name}_ENTRY_REQUEST_count"] == ends
    assert found["bookie_READ_BYTES"] == [(None, 9)]


async def test_a_read_that_gives_nothing_takes_none_of_the_good_ones_away(tmp_path: Path) -> None:
    """A counter that goes down is to Prometheus one that began again: a rate jumps by all of it."""
    box = several(tmp_path)
    await box.open()
    await box.add([0])
    seen = []
    for first_entry in (0, -2, 7, 0):  # good, refused, absent, good
        await box.read(first_entry, 1)
        reads = next(
            family.samples
            for family in metrics.families(box.bookie.counters)
            if family.name == "bookkeeper_server_READ_ENTRY_count"
        )
        seen.append([sample.value for sample in reads])
    assert seen == [[1, 0], [1, 1], [1, 2], [2, 2]]
    await box.bookie.close()


def test_journal_syncs_are_a_histogram_in_microseconds() -> None:
    counters = BookieCounters()
    counters.journal_synced(300_000, 4096)
    counters.journal_synced(40_000_000, 4096)
    (family,) = (f for f in metrics.families(counters) if f.kind is Kind.HISTOGRAM)
    (sample,) = family.samples
    assert isinstance(sample.value, Histogram)
    assert sample.value.count == 2
    assert sample.value.total == 40_300
    assert sample.value.cells[(300_000 >> 10).bit_length()] == 1


def values(box: Box) -> dict[str, list[float]]:
    found = {}
    for family in metrics.directory_families(box.bookie):
        assert family.kind is Kind.GAUGE
        numbers = [sample.value for sample in family.samples]
        found[family.name.removeprefix("magnetar_")] = numbers
    return found  # type: ignore[return-value]


async def test_failed_and_full_directories_are_seen(tmp_path: Path) -> None:
    box = several(tmp_path, 3)
    await box.open()
    assert values(box) == {
        "bookie_ledger_num_dirs": [3],
        "bookie_ledger_writable_dirs": [3],
        "bookie_JOURNAL_DIRS": [2],
        "bookie_ledgers_count": [0, 0, 0],
        "bookie_write_cache_size": [0, 0, 0],
        "bookie_journal_damages": [0],
        "bookie_ledger_directory_failed": [0, 0, 0],
        "bookie_journal_failed": [0, 0],
        "bookie_journal_files": [1, 1],
    }
    paths, error = box.config.ledger_directories, OSError(errno.EIO, "planned")
    box.bookie.set_rooms({paths[0]: Room.NONE})
    box.bookie.directory_failed(paths[1], error)
    box.bookie.directory_failed(box.config.journal_directories[0], error)
    now = values(box)
    assert now["bookie_ledger_writable_dirs"] == [1]
    assert now["bookie_ledger_directory_failed"] == [0, 1, 0]
    assert now["bookie_journal_failed"] == [1, 0]
    await box.bookie.close()


async def test_a_failed_directory_is_seen_to_hold_journal_files_back(tmp_path: Path) -> None:
    box = several(tmp_path, journals=1)
    await box.open()
    for ledger_id in (2, 3):
        await box.add([0], ledger_id=ledger_id)
    box.bookie.directory_failed(box.config.ledger_directories[0], OSError(errno.EIO, "planned"))
    for first in range(1, 2001, 100):
        await box.add(range(first, first + 100), size=200, ledger_id=3)
    await box.bookie.engines[1].flush()
    assert sum(values(box)["bookie_ledgers_count"]) >= 1
    kept = len(list((tmp_path / "journal-0").glob("*.journal")))
    assert values(box)["bookie_journal_files"] == [kept]
    assert kept > 4
    await box.restart()
    await box.bookie.flush()
    await box.settle()
    assert values(box)["bookie_journal_files"][0] <= 2
    assert (await box.read(0, 1, ledger_id=2))[2]
    await box.bookie.close()
