"""Message ids: bytes and order against the official client's."""

import itertools

import pulsar
import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar.message_id import MessageId
from magnetar_proto import pulsar_api_pb2 as api

NUMBERS = st.one_of(st.integers(-1, 3), st.integers(-1, (1 << 63) - 1))
SMALL = st.integers(-1, (1 << 31) - 1)
PLACES = st.tuples(SMALL, NUMBERS, NUMBERS, SMALL)


@pytest.mark.official
@given(PLACES)
def test_bytes_are_those_of_the_official_client(place: tuple[int, int, int, int]) -> None:
    official = pulsar.MessageId(*place)
    ours = MessageId(*place)
    assert ours.serialize() == official.serialize()
    assert str(ours) == str(official)
    back = MessageId.deserialize(official.serialize())
    assert back == ours
    assert (back.partition(), back.ledger_id(), back.entry_id(), back.batch_index()) == place


@pytest.mark.official
@pytest.mark.parametrize("name", ["earliest", "latest"])
def test_ends_are_those_of_the_official_client(name: str) -> None:
    official = getattr(pulsar.MessageId, name)
    ours = getattr(MessageId, name)
    assert ours.serialize() == official.serialize()
    assert MessageId.deserialize(official.serialize()) == ours


@pytest.mark.official
def test_a_chunked_message_keeps_its_first_chunk() -> None:
    data = api.MessageIdData(ledgerId=1, entryId=9, partition=3)
    data.first_chunk_message_id.CopyFrom(api.MessageIdData(ledgerId=1, entryId=7, partition=3))
    official = pulsar.MessageId.deserialize(data.SerializeToString())
    ours = MessageId.deserialize(data.SerializeToString())
    assert ours.serialize() == official.serialize() == data.SerializeToString()
    assert str(ours) == str(official)
    assert ours.first_chunk() == MessageId(3, 1, 7)


@pytest.mark.official
def test_order_agrees_with_the_official_client_and_is_total() -> None:
    places = list(itertools.product((-1, 0, 2), (0, 1), (0, 5), (-1, 0, 1)))
    for one, other in itertools.product(places, repeat=2):
        ours = MessageId(*one), MessageId(*other)
        officials = pulsar.MessageId(*one), pulsar.MessageId(*other)
        assert (ours[0] == ours[1]) == (officials[0] == officials[1])
        assert (ours[0] < ours[1]) + (ours[0] == ours[1]) + (ours[0] > ours[1]) == 1
        assert (ours[0] <= ours[1]) == (not ours[0] > ours[1])
        assert (ours[0] >= ours[1]) == (not ours[0] < ours[1])
        if officials[0] < officials[1]:
            assert ours[0] < ours[1]


def test_every_id_lies_between_the_ends() -> None:
    for place in ((-1, 0, 0, -1), (4, 10, 3, 2)):
        assert MessageId.earliest < MessageId(*place) < MessageId.latest


def test_equal_ids_are_one_key() -> None:
    one = MessageId(1, 2, 3, 4, batch_size=8, topic="t")
    assert {one, MessageId(1, 2, 3, 4)} == {one}
    assert one != MessageId(1, 2, 3, 5)
    assert one != (1, 2, 3, 4)


def test_the_topic_comes_with_the_bytes_or_not_at_all() -> None:
    data = MessageId(0, 1, 2, topic="t").serialize()
    assert MessageId.deserialize(data).topic_name() is None
    assert MessageId.deserialize(data, topic="u").topic_name() == "u"


def test_the_size_of_a_batch_is_read_from_other_clients() -> None:
    data = api.MessageIdData(ledgerId=1, entryId=2, batch_index=4, batch_size=10)
    back = MessageId.deserialize(data.SerializeToString())
    assert (back.batch_index(), back.batch_size()) == (4, 10)


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"\x08\x01"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a message id"):
        MessageId.deserialize(data)
