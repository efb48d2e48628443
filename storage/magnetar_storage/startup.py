"""The start of an engine: count rows, replay the journal, begin a new file, drop dead logs."""

from collections.abc import Awaitable, Callable

from magnetar_runtime.slices import Slices

from magnetar_storage.journal_format import JournalMark
from magnetar_storage.location_index import IndexBatch
from magnetar_storage.parts import EngineParts, Found
from magnetar_storage.replay import Replay, ReplayEnd


async def start(
    parts: EngineParts, found: Found, slices: Slices, make_room: Callable[[], Awaitable[None]]
) -> None:
    """Bring an engine to where it can take adds.

    Args:
        make_room: awaited between journal groups; flushes if the write cache is full.

    Raises:
        OSError, StorageError: the disk failed.
    """
    await parts.catalog.count_rows(slices)
    parts.writer.begin(max([*found.log_ids, *parts.catalog.rows_in_log], default=0) + 1)
    end = await _replay(parts, found.mark, slices, make_room)
    await parts.journal.begin(end.next_number, end.next_sequence, end.oldest_number)
    parts.flusher.mark = lambda: parts.journal.synced
    if not end.entries and not parts.records.dirty:
        # Nothing before the new file is needed. From now on its absence would be noticed.
        async with parts.catalog.lock:
            await parts.catalog.commit(IndexBatch(mark=parts.journal.synced))
        parts.journal.retire_before(parts.journal.synced)
    await parts.garbage.delete_dead_logs()


async def _replay(
    parts: EngineParts, mark: JournalMark, slices: Slices, make_room: Callable[[], Awaitable[None]]
) -> ReplayEnd:
    def entries_lost() -> None:
        parts.catalog.entries_lost = True

    replay = Replay(
        parts.journal_files,
        parts.storage_worker,
        parts.records,
        parts.cache,
        slices,
        make_room,
        entries_lost,
    )
    parts.flusher.mark = lambda: replay.mark
    end = await replay.run(mark)
    parts.counters.replayed_entries = end.entries
    parts.reads.uncertain = end.damaged or parts.catalog.index.uncertain
    if end.damaged:
        # At once: if nothing was left to replay there may be no flush that says it.
        async with parts.catalog.lock:
            await parts.catalog.commit(IndexBatch(uncertain=True))
    return end
