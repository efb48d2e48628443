"""Ledger records: what is kept of them, and which must be written."""

from struct import pack

import pytest
from magnetar_storage.errors import FormatError
from magnetar_storage.ledger_records import NO_ENTRIES, LedgerRecord, LedgerRecords

KEY = b"k" * 20


def test_a_record_comes_back_with_what_is_indexed() -> None:
    record = LedgerRecord(5, KEY)
    record.fenced = True
    record.last_entry = 100
    record.indexed_last = 90
    found = LedgerRecord.decode(5, record.encode())
    assert (found.ledger_id, found.master_key, found.fenced, found.fence_durable) == (
        5,
        KEY,
        True,
        True,
    )
    assert (found.last_entry, found.indexed_last) == (90, 90)


def test_an_empty_record() -> None:
    found = LedgerRecord.decode(5, LedgerRecord(5, b"").encode())
    assert (found.master_key, found.fenced, found.last_entry) == (b"", False, NO_ENTRIES)


@pytest.mark.parametrize("cut", [0, 5, -1])
def test_a_cut_record_is_refused(cut: int) -> None:
    with pytest.raises(FormatError):
        LedgerRecord.decode(5, LedgerRecord(5, KEY).encode()[:cut])
    with pytest.raises(FormatError, match="format 9"):
        LedgerRecord.decode(5, b"\x09" + LedgerRecord(5, KEY).encode()[1:])


def test_a_key_is_set_once_but_for_none_and_zeros() -> None:
    record = LedgerRecord(5, KEY)
    assert record.accepts_key(KEY)
    assert not record.accepts_key(b"x" * 20)
    assert LedgerRecord(5, b"").accepts_key(KEY)
    assert LedgerRecord(5, bytes(20)).accepts_key(KEY)


def test_what_changed_is_dirty_until_taken() -> None:
    records = LedgerRecords([LedgerRecord(1, KEY)])
    assert records.take_dirty() == set()
    records.fence(records[1])
    records.set_key(records.obtain(2), KEY)
    assert records.obtain(2) is records[2]
    assert records.take_dirty() == {1, 2}
    assert records.take_dirty() == set()


def test_a_record_of_the_first_format() -> None:
    found = LedgerRecord.decode(5, bytes([1, 1]) + (90).to_bytes(8, "little") + b"\x14" + KEY)
    assert (found.master_key, found.fenced, found.last_entry, found.checked) == (KEY, True, 90, 0)


def test_a_record_of_the_second_format() -> None:
    data = bytes([2, 1]) + (90).to_bytes(8, "little") + (7).to_bytes(4, "little") + b"\x14" + KEY
    found = LedgerRecord.decode(5, data)
    assert (found.master_key, found.fenced, found.last_entry, found.checked) == (KEY, True, 90, 7)
    assert found.explicit_lac == b""
    with pytest.raises(FormatError, match="length"):
        LedgerRecord.decode(5, data + b"x")


def test_the_highest_explicit_lac_comes_back() -> None:
    records = LedgerRecords([LedgerRecord(5, KEY)])
    bodies = [pack(">qq", 5, lac) + b"d" for lac in (3, 9, 8)]
    for body in bodies:
        records.set_explicit_lac(records[5], body)
    assert records.take_dirty() == {5}
    records.set_explicit_lac(records[5], bodies[1])
    assert records.take_dirty() == set()
    found = LedgerRecord.decode(5, records[5].encode())
    assert (found.explicit_lac, found.master_key) == (bodies[1], KEY)
    with pytest.raises(FormatError, match="length"):
        LedgerRecord.decode(5, records[5].encode()[:-1])


def test_what_was_checked_comes_back() -> None:
    records = LedgerRecords([LedgerRecord(1, KEY)])
    records.check(records[1], 3)
    assert records.take_dirty() == {1}
    assert LedgerRecord.decode(1, records[1].encode()).checked == 3


def test_each_ledger_has_a_journal() -> None:
    records = LedgerRecords([LedgerRecord(5, KEY)], lambda ledger_id: ledger_id % 3)
    assert (records[5].journal, records.obtain(7).journal) == (2, 1)
