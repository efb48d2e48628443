"""Bookies with one thing broken that the crash points must find.

Each replaces a function of the product, or of the simulated disk under it, while it is entered; the
product has no switch for it.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from magnetar_metadata.sim_store import SimRows
from magnetar_proto.bookie import Status
from magnetar_runtime.sim import SimDisk, SimFile
from magnetar_storage.flush import Flusher
from magnetar_storage.journal import Journal
from magnetar_storage.journal_format import RecordKind
from magnetar_storage.location_index import IndexBatch
from magnetar_storage.replay import Replay
from magnetar_storage.sim_index import SimIndex

Mutant = Callable[[], AbstractContextManager[None]]


@contextmanager
def _replaced(owner: type, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    with mock.patch.object(owner, name, make(getattr(owner, name))):
        yield


def _no_sync_of(part: str) -> AbstractContextManager[None]:
    def make(sync: Callable[[SimFile], None]) -> Callable[[SimFile], None]:
        return lambda file: None if part in file.path else sync(file)

    return _replaced(SimFile, "sync", make)


def _no_directory_sync_of(part: str, *, whole: bool = False) -> AbstractContextManager[None]:
    def is_meant(path: str) -> bool:
        return path == part if whole else part in path

    def make(sync: Callable[[SimDisk, str], None]) -> Callable[[SimDisk, str], None]:
        return lambda disk, path: None if is_meant(path) else sync(disk, path)

    return _replaced(SimDisk, "sync_directory", make)


def journal_without_sync() -> AbstractContextManager[None]:
    """Groups are written and never synced."""
    return _no_sync_of(".journal")


def journal_header_without_sync() -> AbstractContextManager[None]:
    """A journal file gets its name before its header is durable."""
    return _no_sync_of("preparing")


def journal_directory_without_sync() -> AbstractContextManager[None]:
    """A new journal file is durable, its name is not."""
    return _no_directory_sync_of("/journal")


def entry_log_without_sync() -> AbstractContextManager[None]:
    """The index points to blocks that are not durable, and the journal is let go."""
    return _no_sync_of(".log")


def entry_log_directory_without_sync() -> AbstractContextManager[None]:
    """A new entry log is durable, its name is not."""
    return _no_directory_sync_of("/entries")


def index_directory_without_sync() -> AbstractContextManager[None]:
    """What the index commits is durable, its file's name is not."""
    return _no_directory_sync_of("/index")


def drive_directory_without_sync() -> AbstractContextManager[None]:
    """The bookie's directories are made, and nobody syncs the one above them."""
    return _no_directory_sync_of("drive", whole=True)


def receipt_before_sync() -> AbstractContextManager[None]:
    """A group counts as durable as soon as it is handed to the disk."""
    return _replaced(Journal, "_start_group", telling_at_once)


def telling_at_once(start: Callable[[Journal], None]) -> Callable[[Journal], None]:
    """`Journal._start_group` that answers the adds of the group before it is on the disk."""

    def start_and_tell(journal: Journal) -> None:
        before = journal._in_flight
        start(journal)
        group = journal._in_flight
        if group is not None and group is not before:
            rows, group.rows = group.rows, {}
            for sink, entry_ids in rows.values():
                journal._loop.call_soon(sink.adds_completed, entry_ids, Status.OK)

    return start_and_tell


def fence_before_sync() -> AbstractContextManager[None]:
    """A fence is told before it is durable."""

    def make(append: Callable[..., None]) -> Callable[..., None]:
        def append_and_tell(journal: Journal, ledger_id: int, durable: Any) -> None:
            append(journal, ledger_id, lambda _status: None)
            journal._loop.call_soon(durable, Status.OK)

        return append_and_tell

    return _replaced(Journal, "append_fence", make)


def key_not_in_journal() -> AbstractContextManager[None]:
    """A master key reaches the index only."""
    return _replaced(Journal, "append_key", lambda _append: lambda *_: None)


def fence_not_replayed() -> AbstractContextManager[None]:
    """Replay passes over fences."""

    def make(take: Callable[..., None]) -> Callable[..., None]:
        def some(replay: Replay, kind: int, head: bytes, payload: bytes) -> None:
            if kind != RecordKind.FENCE:
                take(replay, kind, head, payload)

        return some

    return _replaced(Replay, "_take_control", make)


def mark_before_rows() -> AbstractContextManager[None]:
    """The mark is committed in a transaction of its own, before the rows it speaks of."""

    def make(commit: Callable[[SimIndex, IndexBatch], None]) -> Callable[..., None]:
        def in_two(index: SimIndex, batch: IndexBatch) -> None:
            if batch.marks and batch.row_puts:
                commit(index, IndexBatch(marks=batch.marks))
                batch = replace(batch, marks={})
            commit(index, batch)

        return in_two

    return _replaced(SimIndex, "commit", make)


def mark_after_swap() -> AbstractContextManager[None]:
    """The mark is asked for when the flush ends: it has passed entries of the next half."""

    def make(flush: Callable[..., Any]) -> Callable[..., Any]:
        async def later(flusher: Flusher, half: Any, dirty: set[int], _marks: Any) -> None:
            commit = flusher._catalog.commit

            async def commit_later(batch: IndexBatch, *rows: Any) -> None:
                batch.marks = flusher.marks()
                await commit(batch, *rows)

            with mock.patch.object(flusher._catalog, "commit", commit_later):
                await flush(flusher, half, dirty, _marks)

        return later

    return _replaced(Flusher, "_flush", make)


def metadata_told_early() -> AbstractContextManager[None]:
    """A metadata commit is told before it is durable: only the next one brings it to the disk."""

    def make(write: Callable[..., None]) -> Callable[..., None]:
        late: list[Any] = []

        def write_later(rows_of: SimRows, rows: Any) -> None:
            write(rows_of, late.copy())
            late[:] = rows

        return write_later

    return _replaced(SimRows, "write", make)


MUTANTS: dict[str, Mutant] = {
    each.__name__: each
    for each in (
        journal_without_sync,
        journal_header_without_sync,
        journal_directory_without_sync,
        entry_log_without_sync,
        entry_log_directory_without_sync,
        index_directory_without_sync,
        drive_directory_without_sync,
        receipt_before_sync,
        fence_before_sync,
        key_not_in_journal,
        fence_not_replayed,
        mark_before_rows,
        mark_after_swap,
        metadata_told_early,
    )
}
