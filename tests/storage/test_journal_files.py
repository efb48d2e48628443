"""Journal files in their directory."""

from pathlib import Path

import pytest
from magnetar_runtime.system_disk import SystemDisk
from magnetar_storage.errors import JournalFormatError
from magnetar_storage.journal_files import JournalFiles
from magnetar_storage.journal_format import FileHeader

LENGTH = 16 << 10


def test_a_prepared_file_opens_with_its_header(tmp_path: Path) -> None:
    files = JournalFiles(SystemDisk(), str(tmp_path), 2)
    header = FileHeader(0x1F, 77, LENGTH)
    files.prepare(header).file.close()
    assert files.numbers() == [0x1F]
    opened = files.open(0x1F)
    assert opened.header == header
    assert opened.file.size() == LENGTH
    opened.file.close()


def test_an_interrupted_preparation_is_begun_anew(tmp_path: Path) -> None:
    files = JournalFiles(SystemDisk(), str(tmp_path), 2)
    (tmp_path / "preparing").write_bytes(b"half")
    assert files.numbers() == []
    files.prepare(FileHeader(1, 77, LENGTH)).file.close()
    assert [path.name for path in tmp_path.iterdir()] == ["0000000000000001.journal"]


def test_retired_files_are_kept_up_to_a_number_and_used_again(tmp_path: Path) -> None:
    files = JournalFiles(SystemDisk(), str(tmp_path), 1)
    for number in (1, 2, 3):
        files.prepare(FileHeader(number, number, LENGTH)).file.close()
    inode = (tmp_path / "0000000000000001.journal").stat().st_ino
    files.retire([1, 2])
    assert files.numbers() == [3]
    files.prepare(FileHeader(4, 99, 2 * LENGTH)).file.close()
    path = tmp_path / "0000000000000004.journal"
    assert path.stat().st_ino == inode
    assert path.stat().st_size == 2 * LENGTH
    assert not list(tmp_path.glob("*.spare"))


def test_files_of_another_name_and_short_ones_are_refused(tmp_path: Path) -> None:
    files = JournalFiles(SystemDisk(), str(tmp_path), 1)
    files.prepare(FileHeader(1, 1, LENGTH)).file.close()
    path = tmp_path / "0000000000000001.journal"
    path.rename(tmp_path / "0000000000000002.journal")
    with pytest.raises(JournalFormatError, match="number 1"):
        files.open(2)
    (tmp_path / "0000000000000002.journal").rename(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(JournalFormatError, match="shorter"):
        files.open(1)


def test_retiring_passes_over_files_that_are_gone(tmp_path: Path) -> None:
    """As after a power cut within a retirement, or damage: no reason to stop the bookie."""
    files = JournalFiles(SystemDisk(), str(tmp_path), 4)
    for number in (2, 4, 5):
        files.prepare(FileHeader(number, number, LENGTH)).file.close()
    files.retire(range(5))
    assert files.numbers() == [5]
    assert len(list(tmp_path.glob("*.spare"))) == 2
