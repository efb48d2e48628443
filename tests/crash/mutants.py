"""Brokers with one thing broken that a power cut must bring to light.

`python -m tests.crash.mutants NAME standalone ...` is `magnetar standalone ...` with that mutant.
Each replaces a function of the product from outside; the product has no switch for it.
"""

import sqlite3
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

import lmdb
from magnetar_cli.main import main
from magnetar_metadata import sqlite, sqlite_rows
from magnetar_runtime.system_disk import SystemDisk, SystemFile
from magnetar_storage import lmdb_index
from magnetar_storage.journal import Journal

from tests.sim.mutants import telling_at_once


def journal_without_sync() -> None:
    """Groups are written and never synced."""
    _no_sync_of(".journal")


def journal_directory_without_sync() -> None:
    """A new journal file is durable, its name is not."""
    _no_directory_sync_of("/journal")


def entry_log_without_sync() -> None:
    """The index points to blocks that are not durable, and the journal is let go."""
    _no_sync_of(".log")


def entry_log_directory_without_sync() -> None:
    """A new entry log is durable, its name is not."""
    _no_directory_sync_of("/entries")


def data_directories_without_sync() -> None:
    """The directories of a first start are not durable."""
    _no_directory_sync_of("/data", "/drive", "/ledgers")


def index_without_sync() -> None:
    """LMDB commits return before they are durable."""
    opened = lmdb.open

    def unsynced(*values: Any, **options: Any) -> Any:
        return opened(*values, **{**options, "sync": False, "metasync": False})

    lmdb_index.lmdb = mock.Mock(wraps=lmdb, open=unsynced, Error=lmdb.Error)


def metadata_without_sync() -> None:
    """SQLite commits return before they are durable."""
    opened = sqlite_rows.open_database

    def unsynced(path: str) -> sqlite3.Connection:
        database = opened(path)
        database.execute("PRAGMA synchronous=OFF")
        return database

    sqlite.open_database = unsynced


def receipt_before_sync() -> None:
    """A group counts as durable as soon as it is handed to the disk."""
    Journal._start_group = telling_at_once(Journal._start_group)


MUTANTS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        journal_without_sync,
        journal_directory_without_sync,
        entry_log_without_sync,
        entry_log_directory_without_sync,
        data_directories_without_sync,
        index_without_sync,
        metadata_without_sync,
        receipt_before_sync,
    )
}


def _no_sync_of(suffix: str) -> None:
    sync = SystemFile.sync

    def some(file: SystemFile) -> None:
        if not file.path.endswith(suffix):
            sync(file)

    SystemFile.sync = some


def _no_directory_sync_of(*suffixes: str) -> None:
    sync = SystemDisk.sync_directory

    def some(disk: SystemDisk, path: str) -> None:
        if not path.endswith(suffixes):
            sync(disk, path)

    SystemDisk.sync_directory = some


if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    main()
