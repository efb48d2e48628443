import pytest
from magnetar_broker.dispatch.entry_charges import (
    EntryCharges,
    bits_set,
    counts_within,
    messages_in,
)
from magnetar_ledger.managed import Cursor
from magnetar_ledger.position import EARLIEST, Position
from magnetar_proto.ack_sets import words_of_bits

from tests.broker.consuming import MemoryLog, payload


def cursor_over(*payloads: bytes) -> Cursor:
    log = MemoryLog()
    log.add(*payloads)
    return log.open_transient_cursor("s", EARLIEST)


@pytest.mark.parametrize(
    ("words", "count"), [((), 0), ((0b101,), 2), ((-1,), 64), ((-(2**63), 1), 2)]
)
def test_bits_of_signed_words(words: tuple[int, ...], count: int) -> None:
    assert bits_set(words) == count


def test_an_entry_costs_its_messages() -> None:
    assert messages_in(payload(0)) == 1
    assert messages_in(payload(0, batch=1)) == 1
    assert messages_in(payload(0, batch=40)) == 40


@pytest.mark.parametrize("size", [0, -5])
def test_a_batch_that_lies_about_its_size_costs_one(size: int) -> None:
    assert messages_in(payload(0, batch=size)) == 1


@pytest.mark.parametrize("entry", [b"", b"\x0e\x01", b"\xff" * 20])
def test_an_entry_that_is_no_message_costs_one(entry: bytes) -> None:
    assert messages_in(entry) == 1


def test_trap_7_batch_indexes_that_are_acked_are_not_charged() -> None:
    entries = [payload(n, batch=10) for n in range(3)]
    cursor = cursor_over(*entries)
    charges = EntryCharges(cursor)
    cursor.ack_individual(Position(1, 1), [0b11], 10)
    cursor.ack_individual(Position(1, 2))
    charges.rewind()
    assert charges.unacked(1, 0, entries[0]) == 10
    assert charges.ack_set == ()
    assert charges.unacked(1, 1, entries[1]) == 2
    assert charges.ack_set == (0b11,)
    assert charges.unacked(1, 2, entries[2]) == 0


MILLION_LEFT = words_of_bits((1 << 1_000_000) - 2)
"""What is left behind index 0, by a client that gives no size of the batch."""


@pytest.mark.parametrize(("batch", "left", "ack_set"), [(10, 9, (0b1111111110,)), (1, 1, ())])
def test_nothing_is_charged_or_sent_of_an_ack_set_beyond_the_batch(
    batch: int, left: int, ack_set: tuple[int, ...]
) -> None:
    entry = payload(0, batch=batch)
    cursor = cursor_over(entry)
    cursor.ack_individual(Position(1, 0), MILLION_LEFT)
    charges = EntryCharges(cursor)
    charges.rewind()
    for charged in (charges.unacked(1, 0, entry), charges.unacked_of(1, 0, batch)):
        assert charged == left  # of the whole entry where the set leaves nothing of it
        assert charges.ack_set == ack_set


def test_a_marker_that_is_acked_in_part_is_acked() -> None:
    entry = payload(0, marker=1)
    cursor = cursor_over(entry)
    cursor.ack_individual(Position(1, 0), [0b10])
    charges = EntryCharges(cursor)
    charges.rewind()
    assert charges.unacked(1, 0, entry) == 0
    assert cursor.mark_delete == (1, 0)


def test_entries_behind_all_acks_are_not_looked_up() -> None:
    entry = payload(0, batch=3)
    cursor = cursor_over(entry)
    cursor.ack_individual(Position(1, 0))
    charges = EntryCharges(cursor)
    assert charges.unacked(1, 0, entry) == 3
    charges.acked(Position(1, 0))
    assert charges.unacked(1, 0, entry) == 0


def test_counts_end_with_the_entry_that_fills_the_room() -> None:
    entries = [payload(0), payload(1, batch=10), b"no message", payload(3, batch=-7), payload(4)]
    assert counts_within(entries, 100) == [1, 10, 1, 1, 1]
    assert counts_within(entries, 12) == [1, 10, 1]
    assert counts_within(entries, 5) == [1, 10]
    assert counts_within(entries, 1) == [1]
