"""The disk of the machine: `Disk` and `File` over file descriptors."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from magnetar_runtime import platform
from magnetar_runtime.disk import DiskError, DiskSpace


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """Calls on descriptors do not say which file failed; this does."""
    try:
        yield
    except OSError as error:
        raise DiskError(error.errno, error.strerror, path) from error


class SystemFile:
    """A file that is open for reading and writing."""

    __slots__ = ("_fd", "_path", "_sync")

    def __init__(self, path: str, fd: int, sync: bool) -> None:
        self._path = path
        self._fd = fd
        self._sync = sync

    @property
    def path(self) -> str:
        return self._path

    def write_at(self, offset: int, parts: Sequence[bytes]) -> None:
        with _naming(self._path):
            platform.write_all_at(self._fd, offset, parts)

    def read_at(self, offset: int, length: int) -> bytes:
        with _naming(self._path):
            data = os.pread(self._fd, length, offset)
            if len(data) == length or not data:
                return data
            return self._read_on(data, offset, length)

    def _read_on(self, data: bytes, offset: int, length: int) -> bytes:
        """The system may stop short of the end of the file, above all behind 2 GB."""
        chunks = [data]
        read = len(data)
        while read < length and (data := os.pread(self._fd, length - read, offset + read)):
            chunks.append(data)
            read += len(data)
        return b"".join(chunks)

    def sync(self) -> None:
        if self._sync:
            with _naming(self._path):
                platform.sync_data(self._fd)

    def size(self) -> int:
        with _naming(self._path):
            return os.fstat(self._fd).st_size

    def allocate(self, length: int) -> None:
        with _naming(self._path):
            platform.allocate(self._fd, length)

    def truncate(self, length: int) -> None:
        with _naming(self._path):
            os.ftruncate(self._fd, length)

    def drop_cache(self, offset: int, length: int) -> None:
        with _naming(self._path):
            platform.drop_cache(self._fd, offset, length)

    def close(self) -> None:
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        with _naming(self._path):
            os.close(fd)


class SystemDisk:
    """Files and directories of the machine; see `magnetar_runtime.disk.Disk`.

    Args:
        sync: False lets every sync return at once (`journalSyncData=false`): a crash of the process
            loses nothing, a power cut may lose anything. Whoever passes it says so loudly.
    """

    def __init__(self, *, sync: bool = True) -> None:
        self._sync = sync

    def create(self, path: str) -> SystemFile:
        return self._file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)

    def open(self, path: str) -> SystemFile:
        return self._file(path, os.O_RDWR | os.O_CLOEXEC)

    def _file(self, path: str, flags: int) -> SystemFile:
        return SystemFile(path, os.open(path, flags, 0o644), self._sync)

    def names(self, directory: str) -> list[str]:
        try:
            return sorted(os.listdir(directory))
        except FileNotFoundError:
            return []

    def make_directories(self, path: str) -> None:
        missing = []
        while not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path) or "."
        for directory in reversed(missing):
            os.mkdir(directory)
            self.sync_directory(os.path.dirname(directory) or ".")

    def rename(self, source: str, target: str) -> None:
        os.rename(source, target)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def sync_directory(self, path: str) -> None:
        if not self._sync:
            return
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with _naming(path):
                platform.sync_all(fd)
        finally:
            os.close(fd)

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def space(self, path: str) -> DiskSpace:
        stats = os.statvfs(path)
        # Blocks that only the administrator may use belong to neither side.
        usable = stats.f_blocks - stats.f_bfree + stats.f_bavail
        return DiskSpace(usable * stats.f_frsize, stats.f_bavail * stats.f_frsize)
