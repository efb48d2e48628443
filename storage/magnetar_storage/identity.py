"""Whether the directories belong together, and which one is which.

A bookie's id is random, made once, and no address: whoever serves these directories is this
bookie. Ledger directories and journals have numbers, so that it does not matter in which order or
under which paths they are given. Number and id stand in each index (written first), in each
journal directory, and in each ledger directory (written last, so that one that has it says that
all of them were once complete).
"""

import os.path
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from magnetar_runtime.disk import Disk

from magnetar_storage.config import BookieConfig
from magnetar_storage.directories import (
    JOURNAL,
    LEDGERS,
    Label,
    all_directories,
    has_files,
    index_directory,
    read_label,
    write_label,
)
from magnetar_storage.errors import DirectoryError
from magnetar_storage.journal_format import FIRST_MARK, JournalMark
from magnetar_storage.location_index import IndexBatch, IndexIdentity, LocationIndex


@dataclass(frozen=True, slots=True)
class BookieIdentity:
    """Whose directories they are; numbers in the order of the configuration.

    Attributes:
        batches: what the indexes must be told first, in this order: a directory's place and what.
        labels: the BOOKIE files to write then, in this order.
    """

    bookie_id: str
    directories: list[int]
    journals: list[int]
    batches: list[tuple[int, IndexBatch]]
    labels: dict[str, Label]

    def make_durable(self, disk: Disk, config: BookieConfig) -> None:
        """Keep new directories and their indexes, before any index counts them. Blocks."""
        if not self.labels:
            return
        # Lock and index made these without a sync; a power cut must not take them with all in them.
        made = (
            *map(index_directory, config.ledger_directories),
            *map(os.path.dirname, self.labels),
        )
        for directory in dict.fromkeys(made):
            disk.sync_directory(directory or ".")

    def write_labels(self, disk: Disk) -> None:
        """Complete new directories. Blocks."""
        for path, label in self.labels.items():
            write_label(disk, path, label)


def identify(
    disk: Disk, config: BookieConfig, indexes: Sequence[LocationIndex], rng: random.Random
) -> BookieIdentity:
    """Check that directories and indexes belong together. Reads only. Blocks.

    Args:
        indexes: of the ledger directories, in their order.

    Raises:
        DirectoryError: something is missing or belongs to another bookie. Starting on it would
            call entries absent that were acknowledged.
    """
    return _Identification(disk, config, indexes).complete(rng)


def new_bookie_id(rng: random.Random) -> str:
    """An id for a new bookie."""
    return f"{rng.getrandbits(64):016x}"


class _Identification:
    def __init__(self, disk: Disk, config: BookieConfig, indexes: Sequence[LocationIndex]) -> None:
        self._disk = disk
        self._config = config
        self._ledgers = dict(zip(config.ledger_directories, indexes, strict=True))
        self._labels = {path: read_label(disk, path) for path in all_directories(config)}
        self._identities = {path: index.identity for path, index in self._ledgers.items()}
        # Ledger directories get their label last: with one of them all were there once.
        self._begun = any(self._number(path, LEDGERS) is not None for path in self._ledgers)

    def complete(self, rng: random.Random) -> BookieIdentity:
        bookie_id = self._common_id()
        wanted = self._config.bookie_id
        if bookie_id is None:
            bookie_id = wanted or new_bookie_id(rng)
        if wanted and bookie_id != wanted:
            names = ", ".join(self._ledgers)
            raise DirectoryError(f"{names} belong to bookie {bookie_id}, not to {wanted}")
        directories = self._number_directories()
        journals = self._number_journals(bookie_id)
        if self._begun:
            self._check_complete(directories, journals)
        self._refuse_strangers(directories, journals)
        given = self._given(directories), self._given(journals)
        return BookieIdentity(
            bookie_id,
            [given[0][path] for path in self._config.ledger_directories],
            [given[1][path] for path in self._config.journal_directories],
            self._batches(bookie_id, *given),
            self._new_labels(bookie_id, *given),
        )

    def _common_id(self) -> str | None:
        """The id of the bookie: what the ledger directories say, all of them the same."""
        found: dict[str, str] = {}
        for path, identity in self._identities.items():
            label = self._labels[path] if self._number(path, LEDGERS) is not None else None
            if label is not None and (identity is None or identity.bookie_id != label.bookie_id):
                raise DirectoryError(f"the location index in {path} is not its own")
            if identity is not None:
                found[path] = identity.bookie_id
        if len(set(found.values())) > 1:
            raise DirectoryError(
                "these ledger directories are of different bookies: "
                + ", ".join(f"{path} of {bookie_id}" for path, bookie_id in found.items())
            )
        return next(iter(found.values()), None)

    def _number_directories(self) -> dict[str, int | None]:
        numbers = {
            path: None if identity is None else identity.directory
            for path, identity in self._identities.items()
        }
        _check_distinct(numbers, "ledger directory")
        return numbers

    def _number_journals(self, bookie_id: str) -> dict[str, int | None]:
        numbers: dict[str, int | None] = {}
        for path in self._config.journal_directories:
            label = self._labels[path]
            if label is not None and label.bookie_id != bookie_id:
                ledgers = ", ".join(self._ledgers)
                raise DirectoryError(
                    f"{path} is not the journal of {ledgers}: it belongs to another bookie"
                )
            numbers[path] = self._number(path, JOURNAL)
            if label is not None and numbers[path] is None:
                raise DirectoryError(f"{path} is a ledger directory of this bookie, not a journal")
        _check_distinct(numbers, "journal directory")
        return numbers

    def _check_complete(
        self, directories: Mapping[str, int | None], journals: Mapping[str, int | None]
    ) -> None:
        """All directories that the bookie has ever had must be there."""
        identities = [each for each in self._identities.values() if each is not None]
        count = max(each.directories for each in identities)
        _check_present(directories, set(range(count)), "ledger directory", "ledgerDirectories")
        begun = {
            journal
            for index in self._ledgers.values()
            for journal, mark in index.marks.items()
            if mark != FIRST_MARK  # else it was about to be added
        }
        _check_present(journals, begun, "journal", "journalDirectories")

    def _refuse_strangers(
        self, directories: Mapping[str, int | None], journals: Mapping[str, int | None]
    ) -> None:
        """A directory without a number is a new one, and new ones are empty."""
        for numbers, use in ((directories, LEDGERS), (journals, JOURNAL)):
            for path, number in numbers.items():
                if number is None and (
                    has_files(self._disk, path, use) or self._labelled(path, use)
                ):
                    raise DirectoryError(f"{path} is new, but files of another bookie are there")

    def _labelled(self, path: str, use: str) -> bool:
        label = self._labels[path]
        return label is not None and use not in label.numbers and path not in self._both()

    def _both(self) -> set[str]:
        return set(self._config.journal_directories).intersection(self._ledgers)

    def _given(self, numbers: Mapping[str, int | None]) -> dict[str, int]:
        """New ones get the numbers that are free, in their order."""
        free = (n for n in range(len(numbers) * 2 + 1) if n not in numbers.values())
        return {path: next(free) if n is None else n for path, n in numbers.items()}

    def _batches(
        self, bookie_id: str, directories: Mapping[str, int], journals: Mapping[str, int]
    ) -> list[tuple[int, IndexBatch]]:
        batches: list[tuple[int, IndexBatch]] = []
        marks = self._marks(list(journals.values()))
        for place, (path, index) in enumerate(self._ledgers.items()):
            identity = IndexIdentity(bookie_id, directories[path], len(directories))
            known = index.marks
            missing = {journal: mark for journal, mark in marks.items() if journal not in known}
            if identity != index.identity or missing:
                batch = IndexBatch(identity=identity, marks=missing)
                if index.identity is None:
                    self._inherit_damages(batch)
                batches.append((place, batch))
        # New ones first: once the others count them, their absence is noticed.
        paths = self._config.ledger_directories
        return sorted(batches, key=lambda row: self._identities[paths[row[0]]] is not None)

    def _inherit_damages(self, batch: IndexBatch) -> None:
        """A ledger that is unknown is asked for in any directory, also in a new one."""
        known = [index for index in self._ledgers.values() if index.identity is not None]
        damages = max((index.damages for index in known), default=0)
        if damages:
            batch.damages = damages
            batch.unknown_checked = min(index.unknown_checked for index in known)

    def _new_labels(
        self, bookie_id: str, directories: Mapping[str, int], journals: Mapping[str, int]
    ) -> dict[str, Label]:
        uses = ((JOURNAL, journals), (LEDGERS, directories))
        return {
            path: Label(bookie_id, {use: given[path] for use, given in uses if path in given})
            for path in all_directories(self._config)
            if self._unlabelled(path)
        }

    def _marks(self, journals: Sequence[int]) -> dict[int, JournalMark]:
        """Where a new directory begins: nothing before the lowest mark concerns it."""
        marks: dict[int, JournalMark] = {}
        for journal in journals:
            known = [i.marks[journal] for i in self._ledgers.values() if journal in i.marks]
            marks[journal] = min(known, default=FIRST_MARK)
        return marks

    def _unlabelled(self, path: str) -> bool:
        label = self._labels[path]
        return label is None or (path in self._both() and len(label.numbers) < 2)

    def _number(self, path: str, use: str) -> int | None:
        label = self._labels[path]
        return None if label is None else label.numbers.get(use)


def _check_distinct(numbers: Mapping[str, int | None], what: str) -> None:
    seen: dict[int, str] = {}
    for path, number in numbers.items():
        if number is None:
            continue
        if number in seen:
            raise DirectoryError(f"{path} and {seen[number]} are copies of one {what}")
        seen[number] = path


def _check_present(
    numbers: Mapping[str, int | None], expected: set[int], what: str, key: str
) -> None:
    missing = sorted(expected.difference(number for number in numbers.values()))
    if not missing:
        return
    empty = [path for path, number in numbers.items() if number is None]
    hint = f"; {', '.join(empty)} is empty: is its disk mounted?" if empty else ""
    raise DirectoryError(
        f"{what} {', '.join(map(str, missing))} of this bookie is not among {key}{hint}"
    )
