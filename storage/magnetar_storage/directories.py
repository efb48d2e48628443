"""Whose directories these are: identity, format, lock.

A bookie's id is random, made once, and no address: whoever serves these directories is this
bookie. It stands in the index (written first), in the journal directory, and in the ledger
directory (written last, so that its presence says that the directories were once complete).
"""

import os.path
import random
from collections.abc import Callable
from typing import Final, Protocol

from magnetar_runtime.disk import Disk

from magnetar_storage.config import BookieConfig
from magnetar_storage.errors import DirectoryError
from magnetar_storage.location_index import IndexBatch, LocationIndex
from magnetar_storage.replay import FIRST_MARK

_NAME: Final = "BOOKIE"
_FORMAT: Final = "magnetar-bookie 1"


class Lock(Protocol):
    """A held lock on a directory."""

    def release(self) -> None: ...


def lock_directories(config: BookieConfig, lock: Callable[[str], Lock]) -> list[Lock]:
    """Take the locks of all directories, or none.

    Raises:
        DirectoryLockedError: another process has one of them.
    """
    locks: list[Lock] = []
    try:
        for directory in dict.fromkeys((config.ledger_directory, config.journal_directory)):
            locks.append(lock(directory))  # noqa: PERF401 - those taken must be known
    except BaseException:
        for held in locks:
            held.release()
        raise
    return locks


def identify(disk: Disk, config: BookieConfig, index: LocationIndex, rng: random.Random) -> str:
    """Check that directories and index belong together, and complete new ones. Blocks.

    Returns:
        The bookie's id.

    Raises:
        DirectoryError: something is missing or belongs to another bookie. Starting on it would
            call entries absent that were acknowledged.
    """
    ledger_id = _read(disk, config.ledger_directory)
    journal_id = _read(disk, config.journal_directory)
    if ledger_id is None:
        return _complete(disk, config, index, journal_id, rng)
    if index.bookie_id != ledger_id:
        raise DirectoryError(f"the location index in {config.ledger_directory} is not its own")
    if journal_id != ledger_id:
        raise DirectoryError(
            f"{config.journal_directory} is not the journal of {config.ledger_directory}"
        )
    return ledger_id


def _complete(
    disk: Disk,
    config: BookieConfig,
    index: LocationIndex,
    journal_id: str | None,
    rng: random.Random,
) -> str:
    """Begin new directories, or go on where a first start was interrupted."""
    bookie_id = index.bookie_id
    if bookie_id is None:
        bookie_id = f"{rng.getrandbits(64):016x}"
        if journal_id is not None or _has_files(disk, config):
            raise DirectoryError(
                f"{config.ledger_directory} is new, but files of another bookie are there"
            )
        index.commit(IndexBatch(bookie_id=bookie_id, mark=FIRST_MARK))
    if journal_id not in (None, bookie_id):
        raise DirectoryError(f"{config.journal_directory} is the journal of another bookie")
    # Lock and index made these without a sync; a power cut must not take them with all in them.
    made = (config.journal_directory, config.ledger_directory)
    for directory in (index_directory(config), *map(os.path.dirname, made)):
        disk.sync_directory(directory or ".")
    for directory in made:
        _write(disk, directory, bookie_id)
    return bookie_id


def _has_files(disk: Disk, config: BookieConfig) -> bool:
    journals = any(name.endswith(".journal") for name in disk.names(config.journal_directory))
    return journals or bool(disk.names(entry_log_directory(config)))


def entry_log_directory(config: BookieConfig) -> str:
    return f"{config.ledger_directory}/entries"


def index_directory(config: BookieConfig) -> str:
    return f"{config.ledger_directory}/index"


def _read(disk: Disk, directory: str) -> str | None:
    path = f"{directory}/{_NAME}"
    if not disk.exists(path):
        return None
    file = disk.open(path)
    try:
        lines = file.read_at(0, 256).decode("ascii", "replace").split("\n")
    finally:
        file.close()
    if lines[0] != _FORMAT or len(lines) < 2:
        raise DirectoryError(f"{path} is of a format that is not known here")
    return lines[1]


def _write(disk: Disk, directory: str, bookie_id: str) -> None:
    path = f"{directory}/{_NAME}"
    partial_path = f"{path}.new"
    if disk.exists(partial_path):
        disk.unlink(partial_path)
    file = disk.create(partial_path)
    try:
        file.write_at(0, [f"{_FORMAT}\n{bookie_id}\n".encode()])
        file.sync()
    finally:
        file.close()
    disk.rename(partial_path, path)
    disk.sync_directory(directory)
