"""What an operator made of a bookie, in BookKeeper's file."""

from pathlib import Path

import pytest
from magnetar_runtime.system_disk import SystemDisk
from magnetar_storage.status_files import read_status, write_status


@pytest.fixture
def directories(tmp_path: Path) -> list[str]:
    for name in "ab":
        (tmp_path / name).mkdir()
    return [str(tmp_path / name) for name in "ab"]


def test_what_was_written_is_read(directories: list[str]) -> None:
    disk = SystemDisk()
    assert not read_status(disk, directories)
    write_status(disk, directories, 1700, read_only=True)
    assert read_status(disk, directories)
    for directory in directories:
        assert (Path(directory) / "BOOKIE_STATUS").read_text() == "1,READ_ONLY,1700\n"
    write_status(disk, directories, 1701, read_only=False)
    assert not read_status(disk, directories)


def test_the_newest_counts(directories: list[str]) -> None:
    disk = SystemDisk()
    write_status(disk, directories[:1], 5, read_only=True)
    write_status(disk, directories[1:], 4, read_only=False)
    assert read_status(disk, directories)
    write_status(disk, directories[1:], 6, read_only=False)
    assert not read_status(disk, directories)


@pytest.mark.parametrize(
    "text", ["", "1", "2,READ_ONLY,9", "1,MAYBE,9", "1,READ_ONLY,soon", "\xff,,"]
)
def test_what_cannot_be_understood_is_passed_over(
    directories: list[str], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (Path(directories[0]) / "BOOKIE_STATUS").write_text(text)
    assert not read_status(SystemDisk(), directories)
    assert "passed over" in caplog.text
    write_status(SystemDisk(), directories[1:], 1, read_only=True)
    assert read_status(SystemDisk(), directories)


def test_what_an_interrupted_write_left_is_no_hindrance(directories: list[str]) -> None:
    (Path(directories[0]) / "BOOKIE_STATUS.new").write_text("1,READ")
    write_status(SystemDisk(), directories, 1, read_only=True)
    assert read_status(SystemDisk(), directories)
