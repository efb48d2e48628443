"""The journals of a bookie, shared by the engines of its ledger directories.

A journal file goes when the marks of all engines have passed it. An engine that holds one back
because it has little to do is asked to flush: its mark may move although it has nothing to write.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from magnetar_storage.journal import Journal
from magnetar_storage.journal_format import JournalMark

_log = logging.getLogger(__name__)


class JournalUser(Protocol):
    """An engine, as its journals know it."""

    marks: Mapping[int, JournalMark]
    """What stands in its index, by the journal's number."""

    def journal_settled(self) -> None:
        """Fewer bytes wait for a journal."""

    def request_flush(self) -> None:
        """Move your marks."""


class Journals:
    """All journals, in the order of the configuration.

    Attributes:
        numbers: of the journals, as they stand in their directories.
        users: the engines; filled before the first add.
    """

    def __init__(self, numbers: Sequence[int], paths: Sequence[str]) -> None:
        """Args: the journals' numbers and directories."""
        self.numbers = list(numbers)
        self._paths = list(paths)
        self.all: list[Journal] = []
        self.users: list[JournalUser] = []
        self._working = list(range(len(numbers)))

    def choose(self, ledger_id: int) -> int:
        """Which one takes the records of a ledger whose records are in none yet.

        Records of one ledger may stand in several journals after restarts; their order over
        journals matters to nobody, as keys and fences stay and entries with one id are alike.
        """
        working = self._working
        return working[ledger_id % len(working)] if working else 0

    def current_marks(self) -> dict[int, JournalMark]:
        """Everything before these places is durable."""
        return {n: each.synced for n, each in zip(self.numbers, self.all, strict=True)}

    @property
    def waiting_bytes(self) -> int:
        """Of records that are not durable yet, in the journal that has most."""
        return max(journal.waiting_bytes for journal in self.all)

    def settled(self) -> None:
        """A group of one of them became durable."""
        for user in self.users:
            user.journal_settled()

    @property
    def paths_working(self) -> list[str]:
        """Directories of those that did not fail."""
        return [self._paths[place] for place in self._working]

    @property
    def paths_failed(self) -> list[str]:
        """Directories of those that failed."""
        return [path for place, path in enumerate(self._paths) if place not in self._working]

    def by_path(self) -> list[tuple[str, Journal]]:
        """Each journal with its directory."""
        return list(zip(self._paths, self.all, strict=True))

    def directory_failed(self, path: str, error: BaseException) -> bool:
        """The disk of a directory failed; False if no journal is there."""
        there = [journal for each, journal in self.by_path() if each == path]
        for journal in there:
            journal.fail(error)
        return bool(there)

    def out_of_use(self, place: int, error: BaseException) -> bool:
        """One of them failed; returns whether another one works."""
        self._working = [each for each in self._working if each != place]
        if self._working:
            _log.critical(
                "journal %s is out of use, %d others go on: %s",
                self._paths[place], len(self._working), error,
            )  # fmt: skip
        return bool(self._working)

    def retire(self) -> None:
        """Take away the files that no engine needs, and ask for what holds others back."""
        for number, journal in zip(self.numbers, self.all, strict=True):
            marks = [user.marks[number] for user in self.users]
            lowest = min(marks)
            journal.retire_before(lowest)
            # No flush moves a mark further than the journal is, and while it is replayed it is
            # nowhere: asked for then, flushes would follow one another and keep replay waiting.
            reachable = min(max(marks).number, journal.synced.number)
            for user, mark in zip(self.users, marks, strict=True):
                if mark.number < reachable:
                    user.request_flush()

    def fail(self, error: BaseException) -> None:
        """Stop all of them for good."""
        for journal in self.all:
            journal.fail(error)

    async def drain(self) -> None:
        """Wait until nothing waits any more."""
        for journal in self.all:
            await journal.drain()


class JournalWatch:
    """Tells a bookie what happens to one of its journals (`JournalOwner`)."""

    def __init__(self, place: int, owner: "JournalsOwner") -> None:
        self._place = place
        self._owner = owner

    def journal_settled(self) -> None:
        self._owner.journal_settled()

    def journal_failed(self, error: BaseException) -> None:
        self._owner.journal_failed(self._place, error)


class JournalsOwner(Protocol):
    """The bookie."""

    def journal_settled(self) -> None:
        """Fewer bytes wait."""

    def journal_failed(self, place: int, error: BaseException) -> None:
        """Nothing more becomes durable in this one."""
