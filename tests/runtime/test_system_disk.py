"""The machine's disk keeps the contract of `magnetar_runtime.disk`."""

import errno
import os
from pathlib import Path

import pytest
from magnetar_runtime.disk import Disk, DiskError, File
from magnetar_runtime.system_disk import SystemDisk


@pytest.fixture
def disk() -> Disk:
    return SystemDisk()


def test_reads_what_was_written_and_less_at_the_end(disk: Disk, tmp_path: Path) -> None:
    file: File = disk.create(str(tmp_path / "f"))
    file.write_at(3, [b"ab", b"cde"])
    assert file.read_at(0, 8) == b"\0\0\0abcde"
    assert file.read_at(6, 100) == b"de"
    assert file.read_at(8, 1) == b""
    assert file.size() == 8
    file.sync()
    file.close()
    file.close()


def test_goes_on_after_a_short_read(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = disk.create(str(tmp_path / "f"))
    file.write_at(0, [b"0123456789"])
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, length, at: pread(fd, min(length, 3), at))
    assert file.read_at(1, 8) == b"12345678"
    assert file.read_at(5, 100) == b"56789"
    file.close()


def test_create_refuses_what_exists_and_open_what_does_not(disk: Disk, tmp_path: Path) -> None:
    path = str(tmp_path / "f")
    disk.create(path).close()
    with pytest.raises(FileExistsError):
        disk.create(path)
    with pytest.raises(FileNotFoundError):
        disk.open(path + "x")


def test_an_opened_file_can_be_read_and_written(disk: Disk, tmp_path: Path) -> None:
    path = str(tmp_path / "f")
    disk.create(path).close()
    file = disk.open(path)
    file.write_at(0, [b"abc"])
    file.truncate(2)
    file.allocate(4)
    file.drop_cache(0, 4)
    assert file.path == path
    assert file.read_at(0, 9) == b"ab\0\0"
    file.close()


def test_an_error_names_the_file(disk: Disk, tmp_path: Path) -> None:
    path = str(tmp_path / "f")
    file = disk.create(path)
    file.close()
    with pytest.raises(DiskError) as caught:
        file.write_at(0, [b"x"])
    assert caught.value.filename == path
    assert caught.value.errno == errno.EBADF


def test_names_are_sorted_and_empty_without_a_directory(disk: Disk, tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        disk.create(str(tmp_path / name)).close()
    disk.rename(str(tmp_path / "c"), str(tmp_path / "0"))
    disk.unlink(str(tmp_path / "b"))
    assert disk.names(str(tmp_path)) == ["0", "a"]
    assert disk.names(str(tmp_path / "none")) == []
    assert disk.exists(str(tmp_path / "0"))
    assert not disk.exists(str(tmp_path / "b"))


def test_new_directories_are_made_durable_from_the_top(
    disk: SystemDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(SystemDisk, "sync_directory", lambda _, path: synced.append(path))
    disk.make_directories(str(tmp_path / "a" / "b"))
    disk.make_directories(str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").is_dir()
    assert synced == [str(tmp_path), str(tmp_path / "a")]


def test_sync_directory_and_space(disk: Disk, tmp_path: Path) -> None:
    disk.sync_directory(str(tmp_path))
    space = disk.space(str(tmp_path))
    assert 0 < space.free_bytes <= space.total_bytes
    assert 0 <= space.used_share < 1
    with pytest.raises(FileNotFoundError):
        disk.sync_directory(str(tmp_path / "none"))


def test_a_disk_without_sync_makes_no_sync_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    monkeypatch.setattr(os, "fsync", synced.append)
    for disk, expected in ((SystemDisk(sync=False), 0), (SystemDisk(), 2)):
        file = disk.create(str(tmp_path / f"f{expected}"))
        file.sync()
        file.close()
        disk.sync_directory(str(tmp_path))
        assert len(synced) == expected
