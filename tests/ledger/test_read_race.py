"""Whom a read asks next, and what it says when all have failed."""

import pytest
from magnetar_ledger.errors import (
    DigestMismatchError,
    EntryUnreadableError,
    LedgerError,
    NoSuchEntryError,
)
from magnetar_ledger.read_race import ReadRace, read_order


def test_one_after_the_other() -> None:
    race = ReadRace([2, 0, 1])
    assert race.ask() == 2
    assert race.failed(NoSuchEntryError())
    assert race.ask() == 0
    assert race.failed(NoSuchEntryError())
    assert race.ask() == 1
    assert not race.more
    assert not race.lost
    assert not race.failed(NoSuchEntryError())
    assert race.lost


def test_a_failure_beside_a_replica_that_may_still_answer_waits_for_it() -> None:
    race = ReadRace([0, 1, 2])
    race.ask()
    race.ask()
    assert not race.failed(EntryUnreadableError())
    assert race.failed(EntryUnreadableError())
    race.ask()
    assert not race.failed(EntryUnreadableError())
    assert race.lost


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ([NoSuchEntryError, NoSuchEntryError], NoSuchEntryError),
        ([NoSuchEntryError, DigestMismatchError], DigestMismatchError),
        ([DigestMismatchError, EntryUnreadableError], EntryUnreadableError),
    ],
)
def test_missing_is_said_only_if_all_are_certain(
    kinds: list[type[LedgerError]], said: type[LedgerError]
) -> None:
    race = ReadRace([0, 1])
    for kind in kinds:
        race.ask()
        race.failed(kind())
    assert isinstance(race.error(), said)


def test_the_order_begins_with_the_preferred_and_ends_with_the_shunned() -> None:
    bookies = ["a", "b", "c", "d"]
    assert read_order([2, 3, 0, 1], bookies, preferred=None, shunned=()) == [2, 3, 0, 1]
    assert read_order([2, 3, 0, 1], bookies, preferred=0, shunned=()) == [0, 1, 2, 3]
    assert read_order([2, 3], bookies, preferred=0, shunned=()) == [2, 3]
    assert read_order([2, 3, 0, 1], bookies, preferred=0, shunned={"a", "c"}) == [1, 3, 0, 2]
