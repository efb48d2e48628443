"""Labels, locks and names of directories."""

from pathlib import Path

import pytest
from magnetar_runtime.system_disk import SystemDisk
from magnetar_storage.config import BookieConfig
from magnetar_storage.directories import (
    JOURNAL,
    LEDGERS,
    Label,
    lock_directories,
    read_label,
    write_label,
)
from magnetar_storage.errors import DirectoryError

DISK = SystemDisk()


def config(directory: Path) -> BookieConfig:
    return BookieConfig(
        ledger_directories=(str(directory / "ledgers"),),
        journal_directories=(str(directory / "journal"),),
    )


def test_a_label_comes_back(tmp_path: Path) -> None:
    assert read_label(DISK, str(tmp_path)) is None
    label = Label("0123456789abcdef", {JOURNAL: 1, LEDGERS: 20})
    (tmp_path / "BOOKIE.new").write_text("half")
    write_label(DISK, str(tmp_path), label)
    assert read_label(DISK, str(tmp_path)) == label


def test_a_label_of_the_first_format_is_of_the_only_directories(tmp_path: Path) -> None:
    (tmp_path / "BOOKIE").write_text("magnetar-bookie 1\nabc\n")
    assert read_label(DISK, str(tmp_path)) == Label("abc", {JOURNAL: 0, LEDGERS: 0})


@pytest.mark.parametrize("text", ["magnetar-bookie 3\nabc\nledgers 0\n", "magnetar-bookie 2\n", ""])
def test_an_unknown_label_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "BOOKIE").write_text(text)
    with pytest.raises(DirectoryError, match="not known"):
        read_label(DISK, str(tmp_path))


def test_locks_are_all_taken_or_none(tmp_path: Path) -> None:
    held: list[str] = []

    class Lock:
        def __init__(self, path: str) -> None:
            self.path = path
            if path.endswith("journal"):
                raise BlockingIOError
            held.append(path)

        def release(self) -> None:
            held.remove(self.path)

    with pytest.raises(BlockingIOError):
        lock_directories(config(tmp_path), Lock)
    assert held == []
