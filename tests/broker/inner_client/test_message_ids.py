"""Ids as texts."""

import pytest
from magnetar_broker.inner_client.message_ids import (
    MessageIdError,
    id_of,
    id_text,
    pulsar_text,
    pulsar_texts,
    stored_ids,
)
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.varints import NONE


def test_an_id_is_what_pulsar_writes() -> None:
    place = api.MessageIdData(ledgerId=5, entryId=0, partition=-1)
    assert id_text(place) == "CAUQAA=="
    assert pulsar_text(place) == "5:0:-1"
    place.partition, place.batch_index, place.batch_size = 1, 2, 3
    assert id_of(id_text(place)) == place
    assert pulsar_text(place) == "5:0:1:2"


@pytest.mark.parametrize("partition", [-1, 2])
def test_ids_of_what_was_stored_alone_and_in_a_batch(partition: int) -> None:
    place = api.MessageIdData(ledgerId=5, entryId=2**40, partition=partition)
    assert stored_ids(1, 5, 2**40, partition) == [id_text(place)]
    assert pulsar_texts(1, 5, 2**40, partition) == [pulsar_text(place)]
    texts, ids = [], []
    for place.batch_index in range(3):
        texts.append(pulsar_text(place))
        ids.append(id_text(place))
    assert (stored_ids(3, 5, 2**40, partition), pulsar_texts(3, 5, 2**40, partition)) == (
        ids,
        texts,
    )


def test_what_was_stored_before_has_no_place() -> None:
    assert pulsar_texts(1, NONE, NONE, -1) == ["-1:-1:-1"]
    assert id_of(stored_ids(1, NONE, NONE, -1)[0]).entryId == NONE


@pytest.mark.parametrize("text", ["", "x", "CAUQAA", "AAAA", "CAU=", "é"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(MessageIdError, match="is not the id of a message"):
        id_of(text)
