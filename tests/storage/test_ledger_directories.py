"""Which directory takes a new ledger, and when none does."""

import logging

import pytest
from magnetar_storage.disk_watch import Room
from magnetar_storage.ledger_directories import LedgerDirectories


class Directory:
    """Remembers what it was told."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.rooms: list[Room] = []

    def set_room(self, room: Room) -> None:
        self.rooms.append(room)


@pytest.fixture
def three() -> list[Directory]:
    return [Directory(path) for path in "abc"]


def chosen(directories: LedgerDirectories[Directory]) -> str:
    return "".join(sorted({directories.choose(ledger_id).path for ledger_id in range(12)}))


def test_failed_and_full_directories_get_no_new_ledgers(three: list[Directory]) -> None:
    directories = LedgerDirectories(three)
    assert chosen(directories) == "abc"
    directories.set_rooms({"a": Room.RECOVERY, "b": Room.ENTRIES, "other": Room.ENTRIES}, [])
    assert (chosen(directories), directories.read_only) == ("bc", False)
    assert directories.set_failed(three[1])
    assert (chosen(directories), directories.read_only) == ("c", False)
    directories.set_rooms({"a": Room.ENTRIES, "c": Room.ENTRIES}, [])
    assert chosen(directories) == "ac"
    assert [each.rooms for each in three] == [[Room.RECOVERY, Room.ENTRIES], [], []]


def test_read_only_when_none_is_left(
    three: list[Directory], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    directories = LedgerDirectories(three)
    directories.set_rooms({"a": Room.NONE, "b": Room.RECOVERY}, [])
    assert directories.set_failed(three[2])
    assert directories.read_only
    assert chosen(directories) == "ab", "a fence of an unknown ledger goes somewhere"
    directories.set_rooms({"a": Room.ENTRIES, "b": Room.RECOVERY}, [])
    assert not directories.read_only
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "the bookie is read-only",
        "the bookie takes entries again",
    ]


@pytest.mark.parametrize("full", ["journal", "b"])
def test_without_room_for_journals_and_metadata_none_takes_entries(
    three: list[Directory], full: str
) -> None:
    """Also if that is a ledger directory with a journal in it."""
    directories = LedgerDirectories(three)
    directories.set_rooms({full: Room.NONE}, ["journal", "b"])
    assert directories.read_only
    assert [each.rooms for each in three] == [[Room.NONE]] * 3
    directories.set_rooms({full: Room.ENTRIES}, ["journal", "b"])
    assert not directories.read_only


def test_the_last_that_fails_is_the_end(three: list[Directory]) -> None:
    directories = LedgerDirectories(three)
    assert [directories.set_failed(each) for each in three] == [True, True, False]
    assert not directories.read_only, "it is of no use, which is told otherwise"
    assert directories.choose(5) in three


def test_recovery_is_taken_while_one_directory_that_works_has_room_for_it(
    three: list[Directory],
) -> None:
    directories = LedgerDirectories(three)
    directories.set_rooms({"a": Room.NONE, "b": Room.NONE, "c": Room.RECOVERY}, [])
    assert directories.read_only
    assert directories.takes_recovery
    directories.set_failed(three[2])
    assert not directories.takes_recovery


def test_an_operator_makes_it_read_only_but_for_recovery_and_compaction(
    three: list[Directory], caplog: pytest.LogCaptureFixture
) -> None:
    directories = LedgerDirectories(three)
    directories.ask_read_only(True)
    assert (directories.read_only, directories.takes_recovery) == (True, True)
    assert (directories.writable, directories.roomy) == ([], three)
    assert "until it is told to" in caplog.text
    directories.set_rooms({"a": Room.NONE, "b": Room.ENTRIES}, [])
    assert directories.roomy == three[1:]
    directories.ask_read_only(False)
    assert (directories.read_only, chosen(directories)) == (False, "bc")
    assert [each.rooms for each in three] == [
        [Room.RECOVERY, Room.NONE],
        [Room.RECOVERY, Room.ENTRIES],
        [Room.RECOVERY, Room.ENTRIES],
    ]


def test_full_disks_keep_it_read_only_when_the_operator_does_not(three: list[Directory]) -> None:
    directories = LedgerDirectories(three)
    directories.ask_read_only(True)
    directories.set_rooms(dict.fromkeys("abc", Room.RECOVERY), [])
    directories.ask_read_only(False)
    assert directories.read_only
    directories.set_rooms(dict.fromkeys("abc", Room.ENTRIES), [])
    assert not directories.read_only
