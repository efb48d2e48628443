"""`Drive` as a file system of this machine, by FUSE: runs as a process of its own.

`python -m tests.crash.drive_fs MOUNTPOINT` mounts and then obeys lines of JSON on standard input;
each is answered by one line. `powered.py` has the other end.

Writes of other processes come here at once (no write-back cache), but for those through a shared
writable mapping: these come when the kernel likes, at the latest with a sync or an unmount. So
the end of a cut is an unmount, which also empties the kernel's caches, and a new mount.
"""

import argparse
import errno
import json
import os
import random
import stat
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

os.environ.setdefault("FUSE_LIBRARY_NAME", "fuse3")
import mfusepy

from tests.crash.drive import Directory, Drive, File, Node

_BLOCK_BYTES: Final = 4096
_UNMOUNT_TRIES: Final = 200
_SYNCED_WRITES: Final = os.O_DSYNC | os.O_SYNC


@dataclass
class Fault:
    """Calls that fail.

    Attributes:
        operation: sync, sync_directory, write or create.
        suffix: how the path ends.
        after: so many such calls work before.
        times: so many fail.
    """

    operation: str
    suffix: str
    error: int
    after: int = 0
    times: int = 1


@dataclass
class Switches:
    """What the control thread sets and the calls obey."""

    drive: Drive
    lock: threading.Lock = field(default_factory=threading.Lock)
    running: threading.Event = field(default_factory=threading.Event)
    mounted: threading.Event = field(default_factory=threading.Event)
    faults: list[Fault] = field(default_factory=list)
    sync_s: float = 0.0
    syncs: int = 0
    failed: int = 0
    cut_seed: int | None = None
    leaving: bool = False
    over: bool = False

    def check(self, operation: str, path: str) -> None:
        """Raises OSError if this call is to fail."""
        for fault in self.faults:
            if fault.operation == operation and path.endswith(fault.suffix):
                if fault.after > 0:
                    fault.after -= 1
                elif fault.times > 0:
                    fault.times -= 1
                    self.failed += 1
                    raise OSError(fault.error, os.strerror(fault.error), path)


class DriveOperations(mfusepy.Operations):
    """The calls of the kernel; several at once, so each takes the lock for what it changes."""

    use_ns = True
    # Calls on open files come without a path, and so also for files that were removed.
    flag_nopath = True
    flag_nullpath_ok = True

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._drive = switches.drive
        self._open: dict[int, tuple[Node, str, bool]] = {}
        self._next_handle = 1

    def init(self, _path: str) -> None:
        self._switches.mounted.set()

    def getattr(self, path: str | None, fh: int | None = None) -> dict[str, Any]:
        with self._switches.lock:
            node = self._open[fh][0] if path is None and fh else self._drive.find(path or "/")
            if isinstance(node, Directory):
                return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
            size = len(node.content)
        blocks = -(-size // 512)
        return {
            "st_mode": stat.S_IFREG | 0o644,
            "st_nlink": 1,
            "st_size": size,
            "st_blocks": blocks,
        }

    def readdir(self, path: str | None, fh: int) -> list[str]:
        with self._switches.lock:
            node = self._open[fh][0]
            assert isinstance(node, Directory)
            return [".", "..", *node.names]

    def opendir(self, path: str) -> int:
        with self._switches.lock:
            return self._opened(self._drive.directory(path), path, 0)

    def mkdir(self, path: str, _mode: int) -> int:
        with self._switches.lock:
            self._drive.add(path, Directory())
        return 0

    def create(self, path: str, _mode: int, flags: int = 0) -> int:
        with self._switches.lock:
            self._switches.check("create", path)
            file = File()
            self._drive.add(path, file)
            return self._opened(file, path, flags)

    def open(self, path: str, flags: int) -> int:
        with self._switches.lock:
            return self._opened(self._drive.find(path), path, flags)

    def _opened(self, node: Node, path: str, flags: int) -> int:
        handle, self._next_handle = self._next_handle, self._next_handle + 1
        self._open[handle] = (node, path, bool(flags & _SYNCED_WRITES))
        return handle

    def release(self, _path: str | None, fh: int) -> int:
        with self._switches.lock:
            del self._open[fh]
        return 0

    releasedir = release

    def read(self, _path: str | None, size: int, offset: int, fh: int) -> bytes:
        with self._switches.lock:
            return bytes(self._file(fh).content[offset : offset + size])

    def write(self, _path: str | None, data: bytes, offset: int, fh: int) -> int:
        with self._switches.lock:
            self._switches.check("write", self._open[fh][1])
            self._drive.write(self._file(fh), offset, data)
            synced = self._open[fh][2]
        if synced:
            self._sync(fh)
        return len(data)

    def truncate(self, path: str | None, length: int, fh: int | None = None) -> int:
        with self._switches.lock:
            node = self._file(fh) if fh else self._drive.find(path or "")
            assert isinstance(node, File)
            self._drive.resize(node, length)
        return 0

    def fallocate(self, _path: str | None, mode: int, offset: int, size: int, fh: int) -> int:
        if mode:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        with self._switches.lock:
            file = self._file(fh)
            self._drive.resize(file, max(len(file.content), offset + size))
        return 0

    def fsync(self, _path: str | None, _datasync: int, fh: int) -> int:
        self._sync(fh)
        return 0

    def fsyncdir(self, _path: str | None, _datasync: int, fh: int) -> int:
        self._sync(fh)
        return 0

    def _sync(self, fh: int) -> None:
        node, path, _ = self._open[fh]
        time.sleep(self._switches.sync_s)
        if not self._switches.running.is_set():
            self._switches.running.wait()
            raise OSError(errno.EIO, "the power was cut meanwhile", path)
        with self._switches.lock:
            self._switches.syncs += 1
            try:
                self._switches.check("sync" if isinstance(node, File) else "sync_directory", path)
            except OSError:
                if isinstance(node, File):
                    node.lose()
                raise
            node.sync()

    def unlink(self, path: str) -> int:
        with self._switches.lock:
            self._drive.remove(path)
        return 0

    rmdir = unlink

    def rename(self, old: str, new: str) -> int:
        with self._switches.lock:
            self._drive.rename(old, new)
        return 0

    def statfs(self, _path: str) -> dict[str, int]:
        with self._switches.lock:
            blocks = self._drive.capacity_bytes // _BLOCK_BYTES
            free = (self._drive.capacity_bytes - self._drive.used_bytes) // _BLOCK_BYTES
        free = max(0, free)
        sizes = {"f_bsize": _BLOCK_BYTES, "f_frsize": _BLOCK_BYTES, "f_namemax": 255}
        return {**sizes, "f_blocks": blocks, "f_bfree": free, "f_bavail": free}

    def utimens(self, _path: str | None, _times: Any = None) -> int:
        return 0

    def chmod(self, _path: str | None, _mode: int) -> int:
        return 0

    def _file(self, fh: int) -> File:
        node = self._open[fh][0]
        assert isinstance(node, File)
        return node


class _Fuse(mfusepy.FUSE):
    """With the handle in `truncate`, which comes without a path for open files."""

    def truncate_fuse_3(self, path: bytes | None, length: int, fip: Any) -> int:
        name = None if path is None else path.decode()
        return self.operations.truncate(name, length, fip.contents.fh if fip else None)


def obey(switches: Switches, mountpoint: str) -> None:
    """The control thread: one line in, one line out, until standard input ends."""
    for line in sys.stdin:
        command = json.loads(line)
        answer = _obey(switches, mountpoint, **command)
        print(json.dumps(answer), flush=True)
    switches.over = True
    _unmount(switches, mountpoint)


def _obey(switches: Switches, mountpoint: str, verb: str, **values: Any) -> dict[str, Any]:
    drive = switches.drive
    if verb == "stall":
        switches.running.clear()
    elif verb == "resume":
        switches.running.set()
    elif verb == "cut":
        switches.cut_seed = values["seed"]
        switches.mounted.clear()
        _unmount(switches, mountpoint)
        switches.mounted.wait()
    elif verb == "fault":
        switches.faults.append(Fault(**values))
    elif verb == "heal":
        switches.faults.clear()
    elif verb == "sync_takes":
        switches.sync_s = values["seconds"]
    elif verb == "capacity":
        drive.capacity_bytes = values["capacity_bytes"]
    facts = {"used_bytes": drive.used_bytes, "capacity_bytes": drive.capacity_bytes}
    return {**facts, "syncs": switches.syncs, "failed": switches.failed}


def _unmount(switches: Switches, mountpoint: str) -> None:
    switches.leaving = True
    switches.running.set()
    for _ in range(_UNMOUNT_TRIES):
        done = subprocess.run(["fusermount3", "-u", mountpoint], capture_output=True, check=False)
        if done.returncode == 0:
            return
        time.sleep(0.02)
    raise RuntimeError(f"{mountpoint} is busy: {done.stderr.decode()}")


def main() -> None:
    """Mount, and mount again after each cut, until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mountpoint")
    mountpoint = parser.parse_args().mountpoint
    switches = Switches(Drive())
    switches.running.set()
    threading.Thread(target=obey, args=(switches, mountpoint), daemon=True).start()
    while not switches.over:
        switches.leaving = False
        _serve(switches, mountpoint)
        if switches.cut_seed is not None:
            switches.drive.cut(random.Random(switches.cut_seed))
            switches.cut_seed = None


def _serve(switches: Switches, mountpoint: str) -> None:
    """Until it is unmounted."""
    options = {"foreground": True, "hard_remove": True, "max_threads": 16, "fsname": "drive"}
    try:
        _Fuse(DriveOperations(switches), mountpoint, **options)
    except RuntimeError:
        # A call that was under way when it was unmounted can end the loop with an error.
        if not switches.leaving:
            raise


if __name__ == "__main__":
    main()
