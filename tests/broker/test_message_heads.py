import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_broker.message_heads import MessageHeads
from magnetar_proto.replies import message_head

RUNS = st.tuples(
    st.integers(0, 2**40),
    st.one_of(
        st.integers(0, 3), st.sampled_from([125, 127, 128, 16_383, 16_384, 2**21 - 1, 2**34])
    ),
    st.lists(st.binary(max_size=300), min_size=1, max_size=5),
)


@given(
    consumer_id=st.integers(0, 2**40),
    partition=st.sampled_from([-1, 0, 127, 128, 5000]),
    runs=st.lists(RUNS, max_size=5),
)
def test_heads_are_those_that_are_made_one_by_one(
    consumer_id: int, partition: int, runs: list[tuple[int, int, list[bytes]]]
) -> None:
    heads = MessageHeads(consumer_id, partition)
    for ledger_id, first_entry_id, payloads in runs:
        wanted = []
        for entry_id, payload in enumerate(payloads, first_entry_id):
            size = len(payload)
            head = message_head(consumer_id, ledger_id, entry_id, partition, 0, (), size)
            wanted += [head, payload]
        assert heads.before_each(ledger_id, first_entry_id, payloads) == wanted


@pytest.mark.parametrize("first", [0, 126, 16_380])
def test_payloads_are_not_copied(first: int) -> None:
    payloads = [b"a" * 50, b"b" * 50, b"c" * 50]
    parts = MessageHeads(1, -1).before_each(5, first, payloads)
    assert all(part is payload for part, payload in zip(parts[1::2], payloads, strict=True))
