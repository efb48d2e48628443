"""What consumers over HTTP say: ids and places."""

import pytest
from magnetar_broker.http.messages.bodies import BodyError
from magnetar_broker.http.messages.consumer_session import EARLIEST, LATEST
from magnetar_broker.http.messages.received import raw_headers, read_ids, read_position
from magnetar_broker.inner_client.opened import Message
from magnetar_proto import pulsar_api_pb2 as api

ID = "CAUQAA=="


@pytest.mark.parametrize(
    "body",
    [
        f'["{ID}"]',
        f'"{ID}"',
        f'{{"messageIds":["{ID}"]}}',
        f'{{"messages":[{{"messageId":"{ID}"}}]}}',
        f'{{"messageId":"{ID}"}}',
        f" {ID}\n",
    ],
)
def test_ids_in_every_form(body: str) -> None:
    (place,) = read_ids(body.encode())
    assert (place.ledgerId, place.entryId) == (5, 0)


@pytest.mark.parametrize("body", [b"[", b"[1]", b'["x"]', b"x", b"\xff", b'{"messageIds":[1]}'])
def test_what_is_no_id_is_refused(body: bytes) -> None:
    with pytest.raises(BodyError):
        read_ids(body)


def test_places() -> None:
    assert read_position(b'{"position":"earliest"}') is EARLIEST
    assert read_position(b'{"position":"latest"}') is LATEST
    assert read_position(b'{"timestamp":5}') == 5
    found = read_position(f'{{"messageId":"{ID}"}}'.encode())
    assert isinstance(found, api.MessageIdData)
    for body in (b"{", b"[]", b"{}", b'{"timestamp":-1}', b'{"messageId":"x"}'):
        with pytest.raises(BodyError):
            read_position(body)


def test_headers_hold_nothing_that_ends_them() -> None:
    place = api.MessageIdData(ledgerId=5, entryId=0)
    message = Message(place, "t", b"", {"a\r\nb": "é"}, 0, 0, 0, "\n", False, "p", 0)
    headers = raw_headers(message)
    assert headers["X-Message-Id"] == ID
    for value in headers.values():
        assert value.isascii()
        assert value.isprintable()
