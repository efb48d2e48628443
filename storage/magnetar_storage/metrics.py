"""What a bookie counts as metric families; names of BookKeeper's where it has the same thing."""

from collections.abc import Iterator

from magnetar_runtime.counters import Family, Histogram, Kind, Sample

from magnetar_storage.counters import BookieCounters
from magnetar_storage.engine import BookieEngine

_COUNTERS = (
    ("bookie_WRITE_BYTES", "add_bytes", "Bytes of entries taken."),
    ("bookie_READ_BYTES", "read_bytes", "Bytes of entries given to readers."),
    ("bookie_journal_JOURNAL_ADD_ENTRY_count", "adds", "Entries that a journal took."),
    ("magnetar_bookie_reads_total", "reads", "Reads taken."),
    ("magnetar_bookie_adds_refused_total", "adds_refused", "Adds refused for load or state."),
    ("bookie_journal_JOURNAL_SYNC_count", "journal_syncs", "Groups made durable."),
    ("bookie_journal_JOURNAL_WRITE_BYTES", "journal_bytes", "Bytes of these groups."),
    ("magnetar_bookie_replayed_entries_total", "replayed_entries", "Entries replayed at start."),
    ("bookie_flush_count", "flushes", "Flushes of the write cache."),
    ("magnetar_bookie_entry_log_bytes_total", "entry_log_bytes", "Bytes written to entry logs."),
    ("magnetar_bookie_reads_failed_total", "reads_failed", "Reads that gave no entry."),
    ("magnetar_bookie_entries_read_total", "entries_read", "Entries given to readers."),
    ("bookie_read_cache_hits", "read_cache_hits", "Reads served from kept blocks."),
    ("bookie_write_cache_hits", "write_cache_hits", "Reads served from the write cache."),
    ("magnetar_bookie_blocks_read_total", "blocks_read", "Blocks read from entry logs."),
    ("magnetar_bookie_blocks_damaged_total", "blocks_damaged", "Blocks with a wrong checksum."),
    ("bookie_DELETED_LEDGER_TOTAL", "ledgers_deleted", "Ledgers deleted."),
    ("magnetar_bookie_entry_logs_deleted_total", "entry_logs_deleted", "Entry logs deleted."),
    ("magnetar_bookie_compacted_bytes_total", "compacted_bytes", "Bytes copied by compaction."),
    ("magnetar_bookie_scrub_passes_total", "scrub_passes", "Passes over all records."),
    ("magnetar_bookie_scrubbed_bytes_total", "scrubbed_bytes", "Bytes of blocks checked."),
    ("magnetar_bookie_scrubbed_entries_total", "scrubbed_entries", "Entries in whole blocks."),
    ("magnetar_bookie_scrub_entries_bad_total", "scrub_entries_bad", "Entries bad or missing."),
    ("magnetar_bookie_scrub_entries_mended_total", "scrub_entries_mended", "Of these, repaired."),
)
_LONGEST_NS = (
    ("magnetar_bookie_journal_sync_longest_us", "journal_sync_ns_longest", "Longest journal sync."),
    ("magnetar_bookie_flush_longest_us", "flush_ns_longest", "Longest flush."),
)


_SUCCESS, _FAILURE = {"success": "true"}, {"success": "false"}


def families(counters: BookieCounters) -> Iterator[Family]:
    """All metrics of an engine as they are now."""
    yield from _of_requests(counters)
    for name, field, text in _COUNTERS:
        yield Family(name, Kind.COUNTER, text, [Sample({}, getattr(counters, field))])
    for name, field, text in _LONGEST_NS:
        value = getattr(counters, field) // 1000
        yield Family(name, Kind.GAUGE, f"{text} In microseconds.", [Sample({}, value)])
    yield Family(
        "bookie_journal_JOURNAL_SYNC_us",
        Kind.HISTOGRAM,
        "How long journal syncs took, in microseconds.",
        [Sample({}, _sync_histogram(counters))],
    )


def _of_requests(counters: BookieCounters) -> Iterator[Family]:
    """By their ends, under both names by which BookKeeper's dashboards know them."""
    adds = (counters.adds, counters.adds_refused)
    reads = (counters.reads_ok, counters.reads_failed)
    for name, ends, text in (
        ("bookkeeper_server_ADD_ENTRY_count", adds, "Adds."),
        ("bookkeeper_server_ADD_ENTRY_REQUEST_count", adds, "Adds."),
        ("bookkeeper_server_READ_ENTRY_count", reads, "Reads."),
        ("bookkeeper_server_READ_ENTRY_REQUEST_count", reads, "The same."),
    ):
        samples = [Sample(_SUCCESS, ends[0]), Sample(_FAILURE, ends[1])]
        yield Family(name, Kind.COUNTER, text, samples)


def directory_families(bookie: BookieEngine) -> Iterator[Family]:
    """How the directories of a bookie are; the label `dir` says which one."""
    ledgers, journals = bookie.directories, bookie.journals
    for name, count, text in (
        ("bookie_ledger_num_dirs", len(ledgers.all), "Ledger directories."),
        ("bookie_ledger_writable_dirs", len(ledgers.writable), "Those that take entries."),
        ("bookie_JOURNAL_DIRS", len(journals.by_path()), "Journal directories."),
        ("magnetar_bookie_journal_damages", bookie.damages, "Starts that found damage."),
    ):
        yield Family(name, Kind.GAUGE, text, [Sample({}, count)])
    yield from _of_engines(bookie)
    yield Family(
        "magnetar_bookie_ledger_directory_failed",
        Kind.GAUGE,
        "1 when the disk of a ledger directory failed and it is out of use.",
        [Sample({"dir": each.path}, int(each.failure is not None)) for each in ledgers.all],
    )
    yield Family(
        "magnetar_bookie_journal_failed",
        Kind.GAUGE,
        "1 when the disk of a journal failed and it is out of use.",
        [Sample({"dir": path}, int(journal.failed)) for path, journal in journals.by_path()],
    )
    yield Family(
        "magnetar_bookie_journal_files",
        Kind.GAUGE,
        "Journal files that are kept. A failed ledger directory keeps all until the next start.",
        [Sample({"dir": path}, journal.supply.file_count) for path, journal in journals.by_path()],
    )


def _of_engines(bookie: BookieEngine) -> Iterator[Family]:
    """Of each ledger directory; BookKeeper's label is of the same name."""
    engines = [({"ledgerDir": engine.path}, engine) for engine in bookie.engines]
    ledgers = [Sample(labels, len(engine.records)) for labels, engine in engines]
    cached = [
        Sample(labels, engine.cache.active.size + engine.cache.flushing.size)
        for labels, engine in engines
    ]
    yield Family("bookie_ledgers_count", Kind.GAUGE, "Ledgers that are here.", ledgers)
    yield Family("bookie_write_cache_size", Kind.GAUGE, "Bytes that wait for a flush.", cached)


def _sync_histogram(counters: BookieCounters) -> Histogram:
    cells = counters.journal_sync_buckets
    histogram = Histogram([1 << bucket for bucket in range(len(cells) - 1)])
    histogram.cells = list(cells)
    histogram.total = counters.journal_sync_ns // 1000
    return histogram
