"""The disk as a parameter: blocking calls on files, and the worker that makes them off the loop.

Code that must survive a power cut touches files through `Disk` and `File` only, so that the
simulated disk can forget what was not synced. Calls block; the loop hands them to a `Worker`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class DiskError(OSError):
    """A call on a file failed; `errno` and `filename` as in OSError."""


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """Room on a file system, in bytes; free is what this process may still use."""

    total_bytes: int
    free_bytes: int

    @property
    def used_share(self) -> float:
        """From 0 to 1."""
        return 1 - self.free_bytes / self.total_bytes if self.total_bytes else 1.0


class File(Protocol):
    """An open file. Writes are at absolute offsets and durable only after `sync`."""

    @property
    def path(self) -> str: ...

    def write_at(self, offset: int, parts: Sequence[bytes]) -> None:
        """Write all parts one after another, beginning at `offset`."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes; fewer only at the end of the file."""

    def sync(self) -> None:
        """Make what was written durable (fdatasync; a full flush on macOS)."""

    def size(self) -> int: ...

    def allocate(self, length: int) -> None:
        """Make the file `length` bytes long, with room on the disk; new bytes read as zero."""

    def truncate(self, length: int) -> None: ...

    def drop_cache(self, offset: int, length: int) -> None:
        """Tell the system that these bytes will not be read soon. A hint."""

    def close(self) -> None: ...


class Disk(Protocol):
    """Files and directories. Paths are strings; a directory's changes need `sync_directory`."""

    def create(self, path: str) -> File:
        """A new file, open for reading and writing; FileExistsError if it is there."""

    def open(self, path: str) -> File:
        """An existing file, open for reading and writing."""

    def names(self, directory: str) -> list[str]:
        """Sorted names in a directory; empty if there is none."""

    def make_directories(self, path: str) -> None:
        """Make a directory and its parents, and make them durable."""

    def rename(self, source: str, target: str) -> None: ...

    def unlink(self, path: str) -> None: ...

    def sync_directory(self, path: str) -> None:
        """Make creates, renames and unlinks in this directory durable."""

    def exists(self, path: str) -> bool: ...

    def space(self, path: str) -> DiskSpace:
        """Of the file system that the path lies on."""


class Worker(Protocol):
    """One thread that makes blocking calls, in order, and tells their ends on the loop.

    It is for calls that wait without the interpreter lock (writev, fdatasync, pread, a commit):
    never for loops over entries.
    """

    def submit(
        self,
        call: Callable[[], Any],
        done: Callable[[Any, BaseException | None], None],
    ) -> None:
        """Run `call()` on the thread, then `done(result, error)` on the loop."""

    async def run(self, call: Callable[[], Any]) -> Any:
        """`submit` for those that can wait: returns the result or raises the error."""

    async def close(self) -> None:
        """Wait for what was submitted, then end the thread."""
