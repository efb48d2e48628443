"""The form of Server-Sent Events; their life is in `test_routes`."""

from magnetar_broker.http.messages.events import _event


def test_an_event_is_an_id_and_a_line_of_json() -> None:
    assert (
        _event(("CAUQAA==", {"payload": "a\nb"})) == b'id: CAUQAA==\ndata: {"payload":"a\\nb"}\n\n'
    )
