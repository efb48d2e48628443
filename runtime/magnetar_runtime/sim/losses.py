"""What a power cut leaves of changes that were not synced. Pure, decided by the numbers given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random

from magnetar_runtime.sim.pages import SECTOR_BYTES, Pages


class LossPolicy(Enum):
    """Which of the unsynced changes are kept. All are legal: a disk promises nothing of them."""

    NOTHING = "nothing"
    """None: the caches were full of it."""
    EVERYTHING = "everything"
    """All: they had just been written back, only nobody was told."""
    PREFIX = "prefix"
    """Those before a moment that is drawn; the write at that moment is torn at a sector."""
    SECTORS = "sectors"
    """Each change of a name or a length, and each 512-byte sector of a write, for itself."""


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes put at a place."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resize:
    """A length set, by `truncate` (also less) or by `allocate` (never less)."""

    length: int
    shrinks: bool


@dataclass(frozen=True, slots=True)
class NameChange:
    """In one directory, at once: a name goes, a name comes (both for a rename)."""

    removed: str | None
    added: str | None
    inode: int


Change = Write | Resize


def apply(pages: Pages, change: Change) -> None:
    """Do a change to the bytes of a file."""
    if isinstance(change, Write):
        pages.write(change.offset, change.data)
    elif change.shrinks:
        pages.truncate(change.length)
    else:
        pages.grow(change.length)


def apply_name(names: dict[str, int], change: NameChange) -> None:
    """Do a change to the names of a directory.

    A file has one name: when an earlier rename of it was lost, a later one moves it all the same.
    """
    if change.added is None:
        if change.removed is not None and names.get(change.removed) == change.inode:
            del names[change.removed]
        return
    for name in [name for name, inode in names.items() if inode == change.inode]:
        del names[name]
    names[change.added] = change.inode


def kept_changes(changes: Sequence[Change], policy: LossPolicy, rng: Random) -> Iterator[Change]:
    """The changes of one file that a cut leaves, in order."""
    if policy is LossPolicy.EVERYTHING:
        yield from changes
    elif policy is LossPolicy.PREFIX and changes:
        end = rng.randrange(len(changes) + 1)
        yield from changes[:end]
        if end < len(changes):
            yield from _torn(changes[end], rng)
    elif policy is LossPolicy.SECTORS:
        for change in changes:
            yield from _scattered(change, rng)


def kept_names(changes: Sequence[NameChange], policy: LossPolicy, rng: Random) -> list[NameChange]:
    """The changes of one directory that a cut leaves, in order."""
    if policy is LossPolicy.EVERYTHING:
        return list(changes)
    if policy is LossPolicy.PREFIX:
        return list(changes[: rng.randrange(len(changes) + 1)])
    if policy is LossPolicy.SECTORS:
        return [change for change in changes if rng.getrandbits(1)]
    return []


def _torn(change: Change, rng: Random) -> Iterator[Change]:
    """The beginning of a write, up to the end of a sector."""
    if isinstance(change, Resize):
        return
    sectors = list(_sectors(change))
    yield from sectors[: rng.randrange(len(sectors) + 1)]


def _scattered(change: Change, rng: Random) -> Iterator[Change]:
    if isinstance(change, Resize):
        if rng.getrandbits(1):
            yield change
        return
    # Few or most of them as often as half: with an even chance a long write is never nearly whole.
    chance = rng.choice((0.1, 0.5, 0.9))
    for sector in _sectors(change):
        if rng.random() < chance:
            yield sector


def _sectors(write: Write) -> Iterator[Write]:
    at = 0
    while at < len(write.data):
        room = SECTOR_BYTES - (write.offset + at) % SECTOR_BYTES
        yield Write(write.offset + at, write.data[at : at + room])
        at += room
