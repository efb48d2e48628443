import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar.ack_state import MAX_UNKNOWN, AckState
from magnetar_proto import pulsar_api_pb2 as api

Rows = list[tuple[int, int, list[int]]]


def told(acks: AckState) -> list[tuple[str, Rows]]:
    return [
        (
            api.CommandAck.AckType.Name(command.ack_type),
            [(each.ledgerId, each.entryId, list(each.ack_set)) for each in command.message_id],
        )
        for command in acks.take()
    ]


def test_single_messages_go_together() -> None:
    acks = AckState(1, batch_index_acks=False)
    assert acks.acknowledge((1, 2), -1, 0)
    assert acks.acknowledge((1, 3), -1, 0)
    assert acks.acknowledge((1, 3), -1, 0)
    assert acks.count == 2
    assert told(acks) == [("Individual", [(1, 2, []), (1, 3, [])])]
    assert told(acks) == []


def test_a_batch_is_told_when_it_is_done() -> None:
    acks = AckState(1, batch_index_acks=False)
    assert acks.batch_received((1, 2), 3, []) == 0b111
    assert not acks.acknowledge((1, 2), 0, 3)
    assert not acks.acknowledge((1, 2), 2, 3)
    assert told(acks) == []
    assert acks.acknowledge((1, 2), 1, 3)
    assert told(acks) == [("Individual", [(1, 2, [])])]


def test_or_bit_by_bit() -> None:
    acks = AckState(1, batch_index_acks=True)
    assert acks.batch_received((1, 2), 3, [0b110]) == 0b110
    acks.acknowledge((1, 2), 1, 3)
    assert told(acks) == [("Individual", [(1, 2, [0b100])])]
    acks.acknowledge((1, 2), 2, 3)
    assert told(acks) == [("Individual", [(1, 2, [])])]


def test_once_more_takes_nothing_back() -> None:
    acks = AckState(1, batch_index_acks=True)
    acks.batch_received((1, 2), 2, [])
    assert not acks.acknowledge((1, 2), 0, 2)
    assert acks.acknowledge((1, 2), 1, 2)
    assert acks.acknowledge((1, 2), 1, 2)  # by a retry in the user's code
    assert told(acks) == [("Individual", [(1, 2, [])])]


def test_bits_that_wait_hold_when_batches_are_forgotten() -> None:
    acks = AckState(1, batch_index_acks=True)
    acks.batch_received((1, 2), 3, [])
    acks.acknowledge((1, 2), 0, 3)
    acks.forget_batches()  # the connection ended; the user goes on with what was given
    acks.acknowledge((1, 2), 1, 3)
    assert told(acks) == [("Individual", [(1, 2, [0b100])])]


@pytest.mark.parametrize("bits", [False, True])
def test_late_repeats_are_not_kept_for_ever(bits: bool) -> None:
    acks = AckState(1, batch_index_acks=bits)
    for entry in range(3 * MAX_UNKNOWN):
        acks.batch_received((1, entry), 2, [])
        for index in (0, 1, 1):
            acks.acknowledge((1, entry), index, 2)
        acks.take()
        acks.acknowledge((1, entry), 1, 2)
    assert not acks._open_batches
    assert len(acks._unknown) == MAX_UNKNOWN


def test_cumulative_within_a_batch() -> None:
    by_entry, by_bit = (AckState(1, batch_index_acks=each) for each in (False, True))
    for acks in (by_entry, by_bit):
        acks.batch_received((1, 2), 3, [])
        acks.acknowledge_up_to((1, 2), 1, 3)
    assert told(by_entry) == [("Cumulative", [(1, 1, [])])]
    assert told(by_bit) == [("Cumulative", [(1, 2, [0b100])])]
    for acks in (by_entry, by_bit):
        acks.acknowledge_up_to((1, 2), 2, 3)
        assert told(acks) == [("Cumulative", [(1, 2, [])])]


def test_cumulative_never_goes_back() -> None:
    acks = AckState(1, batch_index_acks=True)
    acks.acknowledge_up_to((1, 5), -1, 0)
    acks.acknowledge_up_to((1, 3), -1, 0)
    acks.acknowledge_up_to((1, 5), 0, 3)
    assert told(acks) == [("Cumulative", [(1, 5, [])])]


def test_after_a_cumulative_one_the_rest_of_a_batch_is_enough() -> None:
    acks = AckState(1, batch_index_acks=False)
    acks.batch_received((1, 2), 3, [])
    acks.acknowledge_up_to((1, 2), 1, 3)
    acks.take()
    assert acks.acknowledge((1, 2), 2, 3)


def test_a_message_in_chunks_is_all_its_entries() -> None:
    acks = AckState(1, batch_index_acks=False)
    acks.chunks_received([(1, 1), (1, 2), (1, 4)])
    assert acks.entry_of((1, 4)) == [(1, 1), (1, 2), (1, 4)]
    assert acks.entry_of((1, 5)) == [(1, 5)]
    acks.acknowledge((1, 4), -1, 0)
    assert told(acks) == [("Individual", [(1, 1, []), (1, 2, []), (1, 4, [])])]


def test_forgetting() -> None:
    acks = AckState(1, batch_index_acks=False)
    acks.batch_received((1, 2), 2, [])
    acks.acknowledge((1, 2), 0, 2)
    acks.forget_batches()
    assert not acks.acknowledge((1, 2), 1, 2)  # the broker sends all of it again
    acks.acknowledge((1, 3), -1, 0)
    acks.acknowledge_up_to((1, 3), -1, 0)
    acks.forget()
    assert told(acks) == []


@given(st.integers(1, 100), st.lists(st.integers(0, 99)), st.booleans())
def test_a_batch_is_done_when_each_of_it_is(size: int, order: list[int], bits: bool) -> None:
    acks = AckState(1, batch_index_acks=bits)
    acks.batch_received((1, 1), size, [])
    left = set(range(size))
    for index in [each for each in order if each < size]:
        was_open = bool(left)
        left.discard(index)
        if was_open:
            assert acks.acknowledge((1, 1), index, size) == (not left)
