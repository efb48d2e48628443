"""The index says whose a ledger is, else its key in the journal, else chance."""

import pytest
from magnetar_storage.errors import DirectoryError
from magnetar_storage.journal_format import JournalMark
from magnetar_storage.ledger_records import LedgerRecord, LedgerRecords
from magnetar_storage.owners import Owners
from magnetar_storage.write_cache import WriteCache


class Target:
    """An engine with some ledgers in its index."""

    def __init__(self, number: int, *ledger_ids: int) -> None:
        self.number = number
        self.marks: dict[int, JournalMark] = {}
        self.records = LedgerRecords(LedgerRecord(each, b"key") for each in ledger_ids)
        self.cache = WriteCache()

    async def make_room(self) -> None:
        raise AssertionError

    def entries_lost(self, damages: int) -> None:
        raise AssertionError


def test_what_stands_in_an_index_counts_more_than_a_key() -> None:
    first, second = Target(5, 1, 2), Target(3, 7)
    owners = Owners([first, second])
    assert owners.obtain(1, 3) is first
    assert owners.obtain(7, None) is second


def test_a_key_tells_the_number_of_the_directory() -> None:
    first, second = Target(5), Target(3)
    owners = Owners([first, second])
    assert owners.obtain(1, 3) is second
    assert owners.obtain(1, 5) is second, "the first key counts"
    assert owners.obtain(2, 5) is first


def test_a_ledger_of_no_known_directory_goes_somewhere() -> None:
    first, second = Target(5), Target(3)
    owners = Owners([first, second])
    assert owners.obtain(1, None) is first
    assert owners.obtain(2, 99) is first


def test_a_ledger_in_two_directories_is_a_copy() -> None:
    with pytest.raises(DirectoryError, match="ledger 2 is in ledger directories 5 and 3"):
        Owners([Target(5, 1, 2), Target(3, 2)])
