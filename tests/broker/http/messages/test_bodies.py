"""Bodies of REST produce."""

import json
from typing import Any

import pytest
from magnetar_broker.http.messages.bodies import BodyError, read_request


def read(value: Any) -> Any:
    return read_request(json.dumps(value).encode(), 100)


def test_messages_in_pulsars_form() -> None:
    found = read(
        {
            "producerName": "p",
            "valueSchema": json.dumps({"name": "x", "type": "STRING"}),
            "messages": [
                {"payload": "é"},
                {"payload": "", "key": "k", "deliverAfterMs": 5, "sequenceId": 3},
                {"payload": "", "disableReplication": True, "deliverAt": 9},
                {"payload": "", "replicationClusters": ["x"], "properties": {"a": "b"}},
            ],
        }
    )
    one, two, three, four = found.messages
    assert (found.producer_name, one.body) == ("p", "é".encode())
    assert (two.key, two.deliver_at_ms, two.sequence_id) == ("k", 105, 3)
    assert (three.replicate_to, three.deliver_at_ms) == (["__local__"], 9)
    assert (four.replicate_to, four.properties) == (["x"], {"a": "b"})


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {"messages": {}},
        {"messages": [1]},
        {"messages": [{"payload": 1}]},
        {"messages": [{"payload": "", "key": 1}]},
        {"messages": [{"payload": "", "eventTime": "x"}]},
        {"messages": [{"payload": "", "properties": {"a": 1}}]},
        {"messages": [{"payload": "", "replicationClusters": "x"}]},
        {"messages": [], "producerName": 1},
        {"messages": [], "valueSchema": "{"},
        {"messages": [], "valueSchema": "[]"},
        {"messages": [], "keySchema": json.dumps({"type": "AVRO"})},
    ],
)
def test_what_cannot_be_is_refused(value: Any) -> None:
    with pytest.raises(BodyError):
        read(value)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(BodyError, match="not JSON"):
        read_request(b"{", 0)
