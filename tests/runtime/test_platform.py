"""The system calls, in their Linux and in their macOS variant, against real files."""

import errno
import fcntl
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from magnetar_runtime import platform as linux_platform

LINUX_NAMES = ("fdatasync", "pwritev", "posix_fallocate", "posix_fadvise", "POSIX_FADV_DONTNEED")
FULL_FSYNC = 51


class FakeFullSync:
    """`fcntl.fcntl` of macOS: knows F_FULLFSYNC, or answers it with an error."""

    def __init__(self) -> None:
        self.synced: list[int] = []
        self.error: int | None = None

    def __call__(self, fd: int, command: int) -> int:
        assert command == FULL_FSYNC
        if self.error is not None:
            raise OSError(self.error, "full sync")
        self.synced.append(fd)
        return 0


def load_as_mac(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name in LINUX_NAMES:
        monkeypatch.delattr(os, name)
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", FULL_FSYNC, raising=False)
    spec = importlib.util.spec_from_file_location("mac_platform", linux_platform.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["linux", "macos"])
def platform(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    if request.param == "linux":
        return linux_platform
    return load_as_mac(monkeypatch)


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


def test_writes_more_parts_than_one_call_takes(platform: ModuleType, fd: int) -> None:
    parts = [bytes([index % 251]) * (index % 7) for index in range(5000)]
    platform.write_all_at(fd, 10, parts)
    assert os.pread(fd, 1 << 20, 0) == bytes(10) + b"".join(parts)


def test_writes_nothing_for_no_parts(platform: ModuleType, fd: int) -> None:
    platform.write_all_at(fd, 10, [])
    platform.write_all_at(fd, 10, [b"", b""])
    assert os.fstat(fd).st_size == 0


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_goes_on_after_a_short_write(fd: int, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(fd: int, parts: list[bytes], offset: int) -> int:
        return os.pwrite(fd, b"".join(parts)[:step], offset)

    monkeypatch.setattr(os, "pwritev", short)
    linux_platform.write_all_at(fd, 0, [b"abc", b"", b"defgh", b"i"])
    assert os.pread(fd, 100, 0) == b"abcdefghi"


def test_a_write_that_takes_nothing_is_an_error(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwritev", lambda *_: 0)
    with pytest.raises(OSError, match="no byte"):
        linux_platform.write_all_at(fd, 0, [b"abc"])


def test_allocates_zeros_and_keeps_what_is_there(platform: ModuleType, fd: int) -> None:
    os.pwrite(fd, b"head", 0)
    platform.allocate(fd, 3_000_000)
    data = os.pread(fd, 4_000_000, 0)
    assert data == b"head" + bytes(3_000_000 - 4)
    assert os.fstat(fd).st_blocks * 512 >= 3_000_000


def test_allocating_less_than_there_is_changes_nothing(platform: ModuleType, fd: int) -> None:
    os.pwrite(fd, b"x" * 100, 0)
    platform.allocate(fd, 10)
    assert os.fstat(fd).st_size == 100


def test_allocates_by_writing_where_the_file_system_cannot(
    fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, offset: int, length: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "no fallocate")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    linux_platform.allocate(fd, 1000)
    assert os.pread(fd, 2000, 0) == bytes(1000)


def test_a_full_disk_is_an_error_when_allocating(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, offset: int, length: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(OSError, match="full"):
        linux_platform.allocate(fd, 1000)


def test_linux_syncs_data_with_fdatasync(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    linux_platform.sync_data(fd)
    assert synced == [fd]


def test_macos_syncs_data_and_directories_fully(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    full_sync = FakeFullSync()
    monkeypatch.setattr(fcntl, "fcntl", full_sync)
    mac = load_as_mac(monkeypatch)
    mac.sync_data(fd)
    mac.sync_all(fd)
    assert full_sync.synced == [fd, fd]


def test_macos_falls_back_to_fsync_on_network_file_systems_only(
    fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_sync = FakeFullSync()
    synced: list[int] = []
    monkeypatch.setattr(fcntl, "fcntl", full_sync)
    monkeypatch.setattr(os, "fsync", synced.append)
    mac = load_as_mac(monkeypatch)
    full_sync.error = errno.ENOTSUP
    mac.sync_data(fd)
    assert synced == [fd]
    full_sync.error = errno.EIO
    with pytest.raises(OSError, match="full sync"):
        mac.sync_data(fd)
    assert synced == [fd]


def test_drop_cache_leaves_the_bytes(platform: ModuleType, fd: int) -> None:
    os.pwrite(fd, b"x" * 10_000, 0)
    platform.drop_cache(fd, 0, 10_000)
    assert os.pread(fd, 20_000, 0) == b"x" * 10_000


def test_a_lock_is_held_once(platform: ModuleType, fd: int, tmp_path: Path) -> None:
    other = os.open(tmp_path / "file", os.O_RDWR)
    try:
        assert platform.try_lock(fd)
        assert not platform.try_lock(other)
    finally:
        os.close(other)
