"""The metrics of a bookie: every counter has a name, and values arrive."""

from dataclasses import fields

from magnetar_runtime.counters import Histogram, Kind
from magnetar_storage import metrics
from magnetar_storage.counters import BookieCounters


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
