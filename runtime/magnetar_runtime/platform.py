"""All calls that differ between systems, each with its Linux and its macOS variant.

The variant is chosen by what `os` and `fcntl` offer when this module is imported, so a test that
hides the Linux names runs the macOS ones. Every call blocks.
"""

import errno
import fcntl
import os
from collections.abc import Sequence

_IOV_MAX = os.sysconf("SC_IOV_MAX") if "SC_IOV_MAX" in os.sysconf_names else 16
_ZEROS = bytes(1 << 20)
# macOS answers fsync when the drive has the data in its own volatile cache; only this flushes it.
_FULL_FSYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)


def sync_data(fd: int) -> None:
    """Put the file's bytes and its length on stable storage."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(fd)
        return
    sync_all(fd)


def sync_all(fd: int) -> None:
    """Put the file or directory, with its metadata, on stable storage."""
    if _FULL_FSYNC is not None:
        try:
            fcntl.fcntl(fd, _FULL_FSYNC)
        except OSError as error:
            # Network file systems have no such call; any other error is a lost write.
            if error.errno not in (errno.ENOTSUP, errno.EINVAL, errno.ENOTTY):
                raise
        else:
            return
    os.fsync(fd)


def write_all_at(fd: int, offset: int, parts: Sequence[bytes]) -> None:
    """Write all parts one after another from `offset`, however often the system stops short."""
    for first in range(0, len(parts), _IOV_MAX):
        chunk: Sequence[bytes | memoryview] = parts[first : first + _IOV_MAX]
        left = sum(map(len, chunk))
        while left:
            written = _write_some(fd, chunk, offset)
            if written == 0:
                raise OSError(errno.EIO, "the system took no byte of a write")
            offset += written
            left -= written
            if left:
                chunk = _after(chunk, written)


def _write_some(fd: int, parts: Sequence[bytes | memoryview], offset: int) -> int:
    if hasattr(os, "pwritev"):
        return os.pwritev(fd, parts, offset)
    return os.pwrite(fd, b"".join(parts), offset)


def _after(parts: Sequence[bytes | memoryview], written: int) -> list[bytes | memoryview]:
    """What is left of `parts` when the first `written` bytes are gone."""
    for index, part in enumerate(parts):
        if written < len(part):
            return [memoryview(part)[written:], *parts[index + 1 :]]
        written -= len(part)
    return []


def allocate(fd: int, length: int) -> None:
    """Make the file `length` bytes long with room on the disk; new bytes read as zero."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(fd, 0, length)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
        else:
            return
    size = os.fstat(fd).st_size
    while size < length:
        size += os.pwrite(fd, _ZEROS[: length - size], size)


def drop_cache(fd: int, offset: int, length: int) -> None:
    """Tell the system that these bytes will not be read soon. Only a hint; macOS has none."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, offset, length, os.POSIX_FADV_DONTNEED)


def try_lock(fd: int) -> bool:
    """Take the file's exclusive lock, held until `fd` is closed; False if another holds it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True
