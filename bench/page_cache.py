"""Takes a server's files out of the page cache, so that reads come from the disk."""

import contextlib
import os
from pathlib import Path
from typing import Final

DROP_CACHES: Final = Path("/proc/sys/vm/drop_caches")


def drop_pages(directory: Path) -> None:
    """Drops the clean pages of all files below `directory`; works without privileges on Linux."""
    os.sync()
    if hasattr(os, "posix_fadvise"):  # not on macOS
        for path in directory.rglob("*"):
            if path.is_file():
                _drop_file(path)
    with contextlib.suppress(OSError):  # for root: what the kernel kept in spite of the advice
        DROP_CACHES.write_text("1\n")


def _drop_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
