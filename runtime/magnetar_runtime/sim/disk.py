"""A disk in memory that forgets what was not synced, and fails as disks do.

Bytes are durable after `File.sync`, names after `Disk.sync_directory`. `SimDisk.crashed` is the
disk as it is found after a power cut: what was synced, and any legal part of the rest.
"""

import errno
import os
from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Final

from magnetar_runtime.disk import Disk, DiskError, DiskSpace
from magnetar_runtime.sim.faults import Fault
from magnetar_runtime.sim.losses import LossPolicy, NameChange, Resize, Write
from magnetar_runtime.sim.pages import PAGE_BYTES
from magnetar_runtime.sim.unsynced import UnsyncedFile, UnsyncedNames

PLENTY_BYTES: Final = 1 << 50
_ROOTS: Final = (".", "/")


class SimFile:
    """An open file of a simulated disk; implements `magnetar_runtime.disk.File`."""

    __slots__ = ("_closed", "_disk", "_inode", "_path")

    def __init__(self, disk: "SimDisk", path: str, inode: UnsyncedFile) -> None:
        self._disk = disk
        self._path = path
        self._inode = inode
        self._closed = False

    @property
    def path(self) -> str:
        return self._path

    def write_at(self, offset: int, parts: Sequence[bytes]) -> None:
        data = b"".join(parts)
        inode = self._used()
        room = self._disk.room_behind(inode.now.size, offset + len(data))
        short = offset + len(data) > room
        if short:
            data = data[: max(0, room - offset)]
        self._disk.step("write", self._path, lambda: inode.change(Write(offset, data)))
        if short:
            raise _error(errno.ENOSPC, self._path)

    def read_at(self, offset: int, length: int) -> bytes:
        inode = self._used()
        self._disk.check("read", self._path)
        return inode.now.read(offset, length)

    def sync(self) -> None:
        inode = self._used()
        try:
            self._disk.check("sync", self._path)
        except DiskError:
            inode.changes.clear()
            raise
        self._disk.about("sync", self._path)
        inode.sync()

    def size(self) -> int:
        return self._used().now.size

    def allocate(self, length: int) -> None:
        inode = self._used()
        if self._disk.room_behind(inode.now.size, length) < length:
            raise _error(errno.ENOSPC, self._path)
        self._disk.step("allocate", self._path, lambda: inode.change(Resize(length, False)))

    def truncate(self, length: int) -> None:
        inode = self._used()
        self._disk.step("truncate", self._path, lambda: inode.change(Resize(length, True)))

    def drop_cache(self, offset: int, length: int) -> None:
        """Does nothing: the simulated cache costs nothing."""

    def close(self) -> None:
        self._closed = True

    def _used(self) -> UnsyncedFile:
        if self._closed:
            raise _error(errno.EBADF, self._path)
        return self._inode


class SimDisk:
    """Files and directories in memory; implements `magnetar_runtime.disk.Disk`.

    Paths are plain text: a file's directory is what stands before the last slash. The name of a
    directory is durable when the one above is synced, as that of a file; a cut that loses it loses
    all below.

    Args:
        capacity_bytes: how much goes on it; files take whole pages.

    Attributes:
        capacity_bytes: may be changed: a disk fills up, or is given room.
        faults: planned errors; the first that strikes is raised.
        on_step: told (step, path) of everything that changes the disk: of a change before it is
            durable and of a sync or a commit before it has happened. A cut at this moment is
            `crashed()` of a `fork()`.
        steps: how many there were.
    """

    def __init__(self, capacity_bytes: int = PLENTY_BYTES) -> None:
        self.capacity_bytes = capacity_bytes
        self.faults: list[Fault] = []
        self.on_step: Callable[[str, str], None] | None = None
        self.steps = 0
        self._inodes: dict[int, UnsyncedFile] = {}
        # By path. Names in them lead to a number of `_inodes`, or to no such: a directory.
        self._directories: dict[str, UnsyncedNames] = {root: UnsyncedNames() for root in _ROOTS}
        self._images: dict[int, Any] = {}
        self._next_image: tuple[int, Any] | None = None
        self._next_inode = 0

    def fork(self) -> "SimDisk":
        """A disk in the same state, without faults and watchers; neither sees the other change."""
        other = SimDisk(self.capacity_bytes)
        other._inodes = {number: inode.fork() for number, inode in self._inodes.items()}
        other._directories = {path: each.fork() for path, each in self._directories.items()}
        other._images = self._images.copy()
        other._next_image = self._next_image
        other._next_inode = self._next_inode
        return other

    def crashed(self, policy: LossPolicy, rng: Random) -> "SimDisk":
        """The disk as it is found after a power cut at this moment."""
        disk = self.fork()
        for number in sorted(disk._inodes):
            disk._inodes[number].cut(policy, rng)
        for path in sorted(disk._directories):
            disk._directories[path].cut(policy, rng)
        if disk._next_image is not None and _commits(policy, rng):
            number, image = disk._next_image
            disk._images[number] = image
        disk._next_image = None
        disk._forget_lost_directories()
        disk._forget_nameless()
        return disk

    def create(self, path: str) -> SimFile:
        directory, name = self._split(path)
        if name in directory.now:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        self.check("create", path)
        number = self._new_number()
        self._inodes[number] = inode = UnsyncedFile()
        directory.change(NameChange(None, name, number))
        self.about("create", path)
        return SimFile(self, path, inode)

    def open(self, path: str) -> SimFile:
        self.check("open", path)
        return SimFile(self, path, self._inodes[self._number(path)])

    def names(self, directory: str) -> list[str]:
        found = self._directories.get(directory)
        return [] if found is None else sorted(found.now)

    def make_directories(self, path: str) -> None:
        missing = []
        while path and path not in self._directories:
            missing.append(path)
            path = os.path.dirname(path)
        for directory in reversed(missing):
            self._make_directory(directory)
            self.sync_directory(_parent_of(directory))

    def _make_directory(self, path: str) -> None:
        above, name = self._split(path)
        if name in above.now:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)

        def change() -> None:
            above.change(NameChange(None, name, self._new_number()))
            self._directories[path] = UnsyncedNames()

        self.step("make_directory", path, change)

    def rename(self, source: str, target: str) -> None:
        directory, name = self._split(source)
        target_directory, target_name = self._split(target)
        assert directory is target_directory, "files stay in their directory"
        change = NameChange(name, target_name, self._number(source))
        self.step("rename", source, lambda: directory.change(change))

    def unlink(self, path: str) -> None:
        directory, name = self._split(path)
        change = NameChange(name, None, self._number(path))
        self.step("unlink", path, lambda: directory.change(change))

    def sync_directory(self, path: str) -> None:
        directory = self._directories.get(path)
        if directory is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        self.check("sync_directory", path)
        self.about("sync_directory", path)
        directory.sync()
        self._forget_nameless()

    def exists(self, path: str) -> bool:
        if path in self._directories:
            return True
        directory = self._directories.get(_parent_of(path))
        return directory is not None and os.path.basename(path) in directory.now

    def space(self, path: str) -> DiskSpace:
        return DiskSpace(self.capacity_bytes, max(0, self.capacity_bytes - self._used_bytes()))

    def image(self, path: str) -> Any:
        """What was committed last into this file; None if nothing was, or there is no file."""
        return self._images.get(self._number(path)) if self.exists(path) else None

    def commit(self, path: str, image: Any) -> None:
        """Replace what a file keeps, at once and durably: one crash boundary.

        This is the disk of stores that have transactions of their own. Such a file has an image
        instead of bytes; its name is durable as that of any other. An image must not change after
        it was given.
        """
        number = self._number(path)
        self.check("commit", path)
        self._next_image = (number, image)
        self.about("commit", path)
        self._next_image = None
        self._images[number] = image

    def flip(self, path: str, offset: int, mask: int = 0x10) -> None:
        """Turn bits of a byte over, behind the back of whoever wrote it."""
        inode = self._inodes[self._number(path)]
        assert offset < inode.durable.size, "there is no durable byte"
        for pages in (inode.now, inode.durable):
            (byte,) = pages.read(offset, 1)
            pages.write(offset, bytes([byte ^ mask]))

    def step(self, step: str, path: str, change: Callable[[], None]) -> None:
        """Do an unsynced change, and tell of it."""
        self.check(step, path)
        change()
        self.about(step, path)

    def check(self, step: str, path: str) -> None:
        """Raise what is planned for this step."""
        for fault in self.faults:
            if fault.strikes(step, path):
                raise _error(fault.error, path)

    def about(self, step: str, path: str) -> None:
        """Tell of a step."""
        self.steps += 1
        if self.on_step is not None:
            self.on_step(step, path)

    def room_behind(self, size: int, end: int) -> int:
        """How long a file of this size can become, at most `end`."""
        if end <= size:
            return end
        pages = -(-size // PAGE_BYTES) + self.space("").free_bytes // PAGE_BYTES
        return min(end, pages * PAGE_BYTES)

    def _used_bytes(self) -> int:
        names = (each.now for each in self._directories.values())
        numbers = (number for some in names for number in some.values())
        sizes = (self._inodes[number].now.size for number in numbers if number in self._inodes)
        return sum(-(-size // PAGE_BYTES) for size in sizes) * PAGE_BYTES

    def _new_number(self) -> int:
        self._next_inode += 1
        return self._next_inode

    def _split(self, path: str) -> tuple[UnsyncedNames, str]:
        directory = self._directories.get(_parent_of(path))
        if directory is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return directory, os.path.basename(path)

    def _number(self, path: str) -> int:
        directory, name = self._split(path)
        number = directory.now.get(name)
        if number is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if number not in self._inodes:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        return number

    def _forget_lost_directories(self) -> None:
        """Let go what a cut has left without a name; what is above comes first in the order."""
        for path in sorted(self._directories):
            above = self._directories.get(_parent_of(path))
            named = above is not None and os.path.basename(path) in above.now
            if path not in _ROOTS and not named:
                del self._directories[path]

    def _forget_nameless(self) -> None:
        """Free the files that no name, now or after a cut, leads to."""
        named: set[int] = set()
        for each in self._directories.values():
            named.update(each.now.values(), each.durable.values())
            named.update(change.inode for change in each.changes)
        self._inodes = {number: inode for number, inode in self._inodes.items() if number in named}
        self._images = {number: image for number, image in self._images.items() if number in named}


def _parent_of(path: str) -> str:
    return os.path.dirname(path) or "."


def _commits(policy: LossPolicy, rng: Random) -> bool:
    """Whether the commit that was under way had reached the disk."""
    if policy is LossPolicy.NOTHING:
        return False
    return policy is LossPolicy.EVERYTHING or bool(rng.getrandbits(1))


def _error(number: int, path: str) -> DiskError:
    return DiskError(number, os.strerror(number), path)


if TYPE_CHECKING:
    _is_a_disk: Disk = SimDisk()
