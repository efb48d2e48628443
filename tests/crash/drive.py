"""A drive that knows what was synced, for power cuts: pure, so it can be tested on its own.

Nothing is durable but what was synced: bytes and length of a file by syncing the file, names by
syncing their directory. A power cut keeps any part of the rest: each 512-byte sector of an unsynced
write, each change of a length and each change of a name is kept or lost by itself.
"""

import errno
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

SECTOR_BYTES: Final = 512
KEPT_SHARES: Final = (0.0, 0.0, 0.5, 0.9)
"""How much of what was not synced survives a cut; one is drawn per cut."""


@dataclass
class Write:
    """Bytes that were written."""

    offset: int
    data: bytes


@dataclass
class Resize:
    """A length that was set."""

    length: int


class File:
    """A file: what readers see, what a cut leaves, and what lies between."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.durable = bytearray()
        self.unsynced: list[Write | Resize] = []

    def write(self, offset: int, data: bytes) -> None:
        """Change what readers see."""
        self._change(Write(offset, data))

    def resize(self, length: int) -> None:
        """Cut off, or add zeros."""
        self._change(Resize(length))

    def sync(self) -> None:
        """Make it durable."""
        for change in self.unsynced:
            _apply(change, self.durable)
        self.unsynced.clear()

    def lose(self) -> None:
        """A sync failed: as on Linux, no later sync brings these bytes to the drive."""
        self.unsynced.clear()

    def cut(self, rng: random.Random, share: float) -> None:
        """Lose what was not synced, but for a share of it."""
        for change in self.unsynced:
            for part in _sectors(change):
                if rng.random() < share:
                    _apply(part, self.durable)
        self.unsynced.clear()
        self.content = bytearray(self.durable)

    def _change(self, change: Write | Resize) -> None:
        self.unsynced.append(change)
        _apply(change, self.content)


def _apply(change: Write | Resize, content: bytearray) -> None:
    if isinstance(change, Resize):
        del content[change.length :]
        content.extend(bytes(change.length - len(content)))
        return
    content.extend(bytes(max(0, change.offset - len(content))))
    content[change.offset : change.offset + len(change.data)] = change.data


def _sectors(change: Write | Resize) -> Iterator[Write | Resize]:
    """The parts that a drive writes whole or not at all."""
    if isinstance(change, Resize):
        yield change
        return
    begin, end = change.offset, change.offset + len(change.data)
    while begin < end:
        stop = min(end, (begin // SECTOR_BYTES + 1) * SECTOR_BYTES)
        yield Write(begin, change.data[begin - change.offset : stop - change.offset])
        begin = stop


@dataclass
class Renaming:
    """One change of names, kept or lost as one: `gone` goes, `name` then means `node`."""

    gone: str | None
    name: str | None = None
    node: "Node | None" = None


@dataclass
class Directory:
    """Names: those that are there, and those that a cut leaves."""

    names: dict[str, "Node"] = field(default_factory=dict)
    durable: dict[str, "Node"] = field(default_factory=dict)
    unsynced: list[Renaming] = field(default_factory=list)

    def change(self, change: Renaming) -> None:
        self.unsynced.append(change)
        _rename(change, self.names)

    def sync(self) -> None:
        """Make the names durable."""
        for change in self.unsynced:
            _rename(change, self.durable)
        self.unsynced.clear()

    def cut(self, rng: random.Random, share: float) -> None:
        """Lose names and nodes that were not synced, but for a share of them."""
        for change in self.unsynced:
            if rng.random() < share:
                _rename(change, self.durable)
        self.unsynced.clear()
        self.names = dict(self.durable)
        for node in self.names.values():
            node.cut(rng, share)


def _rename(change: Renaming, names: dict[str, "Node"]) -> None:
    if change.gone is not None:
        names.pop(change.gone, None)
    if change.name is not None and change.node is not None:
        names[change.name] = change.node


Node = File | Directory


class Drive:
    """A tree of files in memory.

    Attributes:
        capacity_bytes: of all files together; more is ENOSPC.
        used_bytes: what the files that have a name take.
    """

    def __init__(self, capacity_bytes: int = 1 << 40) -> None:
        self.root = Directory()
        self.capacity_bytes = capacity_bytes
        self.used_bytes = 0

    def find(self, path: str) -> Node:
        """Raises OSError if there is nothing."""
        node: Node = self.root
        for name in path.strip("/").split("/"):
            if not name:
                continue
            if not isinstance(node, Directory) or name not in node.names:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            node = node.names[name]
        return node

    def directory(self, path: str) -> Directory:
        node = self.find(path)
        if not isinstance(node, Directory):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return node

    def add(self, path: str, node: Node) -> None:
        """Give a new node its name."""
        parent, name = os.path.split(path)
        self.directory(parent).change(Renaming(None, name, node))

    def remove(self, path: str) -> None:
        node = self.find(path)
        if isinstance(node, Directory) and node.names:
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)
        parent, name = os.path.split(path)
        self.directory(parent).change(Renaming(name))
        self._give_back(node)

    def rename(self, source: str, target: str) -> None:
        """In one directory at once; between two, as two changes that a cut can part."""
        node = self.find(source)
        (parent, name), (new_parent, new_name) = os.path.split(source), os.path.split(target)
        self._give_back(self.directory(new_parent).names.get(new_name))
        if parent == new_parent:
            self.directory(parent).change(Renaming(name, new_name, node))
        else:
            self.directory(new_parent).change(Renaming(None, new_name, node))
            self.directory(parent).change(Renaming(name))

    def write(self, file: File, offset: int, data: bytes) -> None:
        """Raises OSError(ENOSPC), and writes nothing, if there is no room."""
        self._take(max(0, offset + len(data) - len(file.content)))
        file.write(offset, data)

    def resize(self, file: File, length: int) -> None:
        """Raises OSError(ENOSPC), and changes nothing, if there is no room."""
        self._take(length - len(file.content))
        file.resize(length)

    def cut(self, rng: random.Random) -> None:
        """The power goes, and comes back."""
        self.root.cut(rng, rng.choice(KEPT_SHARES))
        self.used_bytes = sum(len(file.content) for file in _files(self.root))

    def _take(self, more: int) -> None:
        if more > 0 and self.used_bytes + more > self.capacity_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.used_bytes += more

    def _give_back(self, node: Node | None) -> None:
        if isinstance(node, File):
            self.used_bytes -= len(node.content)


def _files(directory: Directory) -> Iterator[File]:
    for node in directory.names.values():
        if isinstance(node, File):
            yield node
        else:
            yield from _files(node)
