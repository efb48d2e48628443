"""The directories of a bookie: their names, their locks, and the file that says whose they are.

`identity` decides whether what is found in them belongs together.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from magnetar_runtime.disk import Disk

from magnetar_storage.config import BookieConfig
from magnetar_storage.errors import DirectoryError
from magnetar_storage.small_files import replace_file

_NAME: Final = "BOOKIE"
_FORMAT: Final = "magnetar-bookie 2"
_FIRST_FORMAT: Final = "magnetar-bookie 1"
LEDGERS: Final = "ledgers"
JOURNAL: Final = "journal"


class Lock(Protocol):
    """A held lock on a directory."""

    def release(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Label:
    """What a directory's BOOKIE file says.

    Attributes:
        numbers: which one it is, by use (`LEDGERS`, `JOURNAL`); a directory may have both uses.
    """

    bookie_id: str
    numbers: dict[str, int]


def lock_directories(config: BookieConfig, lock: Callable[[str], Lock]) -> list[Lock]:
    """Take the locks of all directories, or none.

    Raises:
        DirectoryLockedError: another process has one of them.
    """
    locks: list[Lock] = []
    try:
        for directory in all_directories(config):
            locks.append(lock(directory))  # noqa: PERF401 - those taken must be known
    except BaseException:
        for held in locks:
            held.release()
        raise
    return locks


def all_directories(config: BookieConfig) -> Iterable[str]:
    """Each directory once; a ledger directory may be a journal directory too."""
    return dict.fromkeys((*config.journal_directories, *config.ledger_directories))


def entry_log_directory(ledger_directory: str) -> str:
    return f"{ledger_directory}/entries"


def index_directory(ledger_directory: str) -> str:
    return f"{ledger_directory}/index"


def has_files(disk: Disk, directory: str, use: str) -> bool:
    """Whether there is data in a directory."""
    if use == LEDGERS:
        return bool(disk.names(entry_log_directory(directory)))
    return any(name.endswith(".journal") for name in disk.names(directory))


def read_label(disk: Disk, directory: str) -> Label | None:
    """What the directory's BOOKIE file says; None if there is none. Blocks.

    Raises:
        DirectoryError: it is of a format that is not known here.
    """
    path = f"{directory}/{_NAME}"
    if not disk.exists(path):
        return None
    file = disk.open(path)
    try:
        lines = file.read_at(0, 1024).decode("ascii", "replace").splitlines()
    finally:
        file.close()
    if len(lines) >= 2 and lines[0] == _FIRST_FORMAT:
        return Label(lines[1], {LEDGERS: 0, JOURNAL: 0})
    if len(lines) < 3 or lines[0] != _FORMAT:
        raise DirectoryError(f"{path} is of a format that is not known here")
    uses = dict(line.partition(" ")[::2] for line in lines[2:])
    if not all(number.isdecimal() for number in uses.values()):
        raise DirectoryError(f"{path} is damaged: it says {lines[2:]}")
    return Label(lines[1], {use: int(number) for use, number in uses.items()})


def write_label(disk: Disk, directory: str, label: Label) -> None:
    """Make a BOOKIE file durable. Blocks."""
    uses = [f"{use} {number}" for use, number in label.numbers.items()]
    text = "".join(f"{line}\n" for line in (_FORMAT, label.bookie_id, *uses))
    replace_file(disk, directory, _NAME, text.encode())
