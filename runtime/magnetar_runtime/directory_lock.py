"""One process per data directory."""

import os

from magnetar_runtime import platform
from magnetar_runtime.errors import DirectoryLockedError

LOCK_FILE_NAME = "LOCK"


class DirectoryLock:
    """A held lock. The system releases it when the process ends, however it ends."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        """Give the directory free. The file stays: removing it would let two processes in."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def lock_directory(path: str) -> DirectoryLock:
    """Make the directory if need be, and take its lock.

    Raises:
        DirectoryLockedError: another process (or another lock of this one) holds it.
        OSError: the directory cannot be made or written.
    """
    os.makedirs(path, exist_ok=True)
    fd = os.open(os.path.join(path, LOCK_FILE_NAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    if not platform.try_lock(fd):
        holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip()
        os.close(fd)
        raise DirectoryLockedError(path, holder, own=holder == str(os.getpid()))
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return DirectoryLock(fd)
