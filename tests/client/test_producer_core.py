from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar.errors import AlreadyClosed, MessageTooBig, ProducerQueueIsFull
from magnetar.outgoing import MessageOptions, Send
from magnetar.pending_sends import Receipt
from magnetar.producer_core import ProducerCore
from magnetar.producer_options import ProducerOptions
from magnetar.types import BatchingType
from magnetar_proto.batches import split_batch
from magnetar_proto.payloads import parse_metadata

from tests.client.test_pending_sends import Waiting

MAX_BYTES = 5000


def core(**options: Any) -> ProducerCore:
    made = ProducerCore("t", -1, 0, ProducerOptions(**options), lambda: "uuid")
    made.attached("name", -1, b"", MAX_BYTES)
    return made


def add(producer: ProducerCore, content: bytes, **more: Any) -> tuple[list[Send], Waiting]:
    waiter = Waiting()
    options = MessageOptions(**more) if more else None
    return list(producer.add(content, options, None, waiter, 1, 100.0)), waiter


def contents(sends: list[Send]) -> list[bytes]:
    found: list[bytes] = []
    for send in sends:
        metadata, start = parse_metadata(send.payload)
        body = send.payload[start:]
        if metadata.HasField("num_messages_in_batch"):
            found += [each for _, each in split_batch(body, metadata.num_messages_in_batch)]
        else:
            found.append(body)
    return found


def test_without_batches_each_goes_at_once() -> None:
    producer = core(batching_enabled=False)
    for number in range(3):
        [send], _ = add(producer, b"x")
        assert send.sequence_id == number
        assert send.deadline_s == 130.0


def test_a_batch_goes_when_it_is_full() -> None:
    producer = core(batching_max_messages=3)
    assert add(producer, b"a")[0] == []
    assert add(producer, b"b")[0] == []
    [send] = add(producer, b"c")[0]
    assert contents([send]) == [b"a", b"b", b"c"]
    assert (send.sequence_id, send.highest_sequence_id, send.batch_size) == (0, 2, 3)
    assert producer.batched_messages == 0


def test_a_batch_goes_before_it_is_too_large() -> None:
    producer = core(batching_max_allowed_size_in_bytes=1000)
    assert add(producer, b"a" * 600)[0] == []
    [send] = add(producer, b"b" * 600)[0]
    assert contents([send]) == [b"a" * 600]
    assert producer.batched_messages == 1


def test_what_must_be_alone_goes_behind_what_is_collected() -> None:
    producer = core()
    add(producer, b"a")
    sends, _ = add(producer, b"b", deliver_at_ms=5)
    assert contents(sends) == [b"a", b"b"]
    assert [send.batch_size for send in sends] == [1, 0]


def test_batches_by_key() -> None:
    producer = core(batching_type=BatchingType.KeyBased, batching_max_messages=4)
    sends: list[Send] = []
    for number in range(4):
        sends += add(producer, b"%d" % number, partition_key=f"k{number % 2}")[0]
    assert [contents([send]) for send in sends] == [[b"0", b"2"], [b"1", b"3"]]


def test_the_queue_has_a_bound_in_messages_and_bytes() -> None:
    producer = core(max_pending_messages=2)
    add(producer, b"a")
    add(producer, b"b")
    assert not producer.has_room
    with pytest.raises(ProducerQueueIsFull):
        add(producer, b"c")
    [send] = producer.flush(1)
    producer.pending.receipt(send.sequence_id, 1, 1)
    assert producer.has_room
    by_size = core(max_pending_bytes=1000)
    add(by_size, b"a" * 1000)
    with pytest.raises(ProducerQueueIsFull):
        add(by_size, b"b")


def test_too_large() -> None:
    producer = core(batching_enabled=False)
    with pytest.raises(MessageTooBig, match="chunking_enabled"):
        add(producer, b"x" * MAX_BYTES)
    assert producer.next_sequence_id == 0
    assert len(producer.pending) == 0


def test_chunks_fit_and_join() -> None:
    producer = core(chunking_enabled=True)
    content = bytes(range(256)) * 60
    sends, waiter = add(producer, content, properties={"a": "b"})
    assert len(sends) > 3
    assert all(len(send.payload) <= MAX_BYTES for send in sends)
    assert b"".join(contents(sends)) == content
    for number, send in enumerate(sends):
        metadata, _ = parse_metadata(send.payload)
        assert (metadata.chunk_id, metadata.num_chunks_from_msg) == (number, len(sends))
        assert (metadata.uuid, metadata.total_chunk_msg_size) == ("uuid", len(content))
        assert not waiter.done()
        assert producer.pending.receipt(send.sequence_id, 1, number) is Receipt.SETTLED
    assert waiter.done()
    assert producer.next_sequence_id == 1


def test_numbering_goes_on_where_the_broker_says() -> None:
    producer = ProducerCore("t", -1, 0, ProducerOptions(batching_enabled=False), str)
    producer.attached("name", 41, b"", MAX_BYTES)
    assert add(producer, b"x")[0][0].sequence_id == 42
    producer.attached("name", 41, b"", MAX_BYTES)  # after a reconnection it goes on by itself
    assert add(producer, b"x")[0][0].sequence_id == 43
    assert core(initial_sequence_id=9).next_sequence_id == 10


def test_a_number_of_the_users_own() -> None:
    producer = core(batching_enabled=False)
    [send] = producer.add(b"x", None, 100, Waiting(), 1, 1.0)
    assert send.sequence_id == 100
    assert producer.next_sequence_id == 101


def test_the_end_tells_all() -> None:
    producer = core()
    _, first = add(producer, b"a")
    producer.flush(1)
    _, second = add(producer, b"b")
    producer.fail_all(AlreadyClosed("x"))
    assert first.error is not None
    assert second.error is not None


@given(
    st.lists(st.tuples(st.integers(1, 900), st.sampled_from([None, "a", "b"]), st.booleans())),
    st.integers(1, 5),
    st.booleans(),
)
def test_each_message_goes_once_and_in_the_order_of_its_key(
    rows: list[tuple[int, str | None, bool]], full: int, by_key: bool
) -> None:
    """Model: what comes out, key by key, is what went in; each receipt settles its messages."""
    kind = BatchingType.KeyBased if by_key else BatchingType.Default
    producer = core(
        batching_type=kind, batching_max_messages=full, batching_max_allowed_size_in_bytes=1200
    )
    sends: list[Send] = []
    waiters: list[Waiting] = []
    sent: dict[str | None, list[bytes]] = {}
    for number, (size, key, alone) in enumerate(rows):
        content = b"%d:" % number + b"x" * size
        options: dict[str, Any] = {"partition_key": key} if key else {}
        if alone:
            options["deliver_at_ms"] = 1
        out, waiter = add(producer, content, **options)
        sends += out
        waiters.append(waiter)
        sent.setdefault(key if by_key else None, []).append(content)
    sends += producer.flush(1)
    out_by_key: dict[str | None, list[bytes]] = {}
    keys = [key if by_key else None for _, key, _ in rows]
    for content in contents(sends):
        number = int(content.partition(b":")[0])
        out_by_key.setdefault(keys[number], []).append(content)
    assert out_by_key == sent
    ends = [each for send in sends for each in (send.sequence_id, send.highest_sequence_id)]
    assert ends == sorted(ends)  # else a broker would take some for repetitions
    for send in sends:
        assert producer.pending.receipt(send.highest_sequence_id, 1, 1) is Receipt.SETTLED
    assert all(waiter.done() for waiter in waiters)
    assert producer.waiting_messages == 0
