"""The query of a consumer over HTTP."""

import pytest
from magnetar_broker.http.messages import parameters
from magnetar_broker.http.websocket.parameters import ParameterError


def test_defaults_suit_a_client_without_a_library() -> None:
    options = parameters.session_options({}, "t", "s", "me")
    assert (options.consumer.type, options.consumer.name) == (1, "me")
    assert options.receive.ack_timeout_ms == 30_000
    assert parameters.most_messages({}) == 100
    assert parameters.wait_s({"waitMillis": "1500"}) == 1.5
    assert parameters.most_bytes({"maxBytes": str(1 << 40)}) == 8 << 20


@pytest.mark.parametrize(
    "query", [{"maxMessages": "0"}, {"maxMessages": "10001"}, {"waitMillis": "60001"}]
)
def test_bounds(query: dict[str, str]) -> None:
    with pytest.raises(ParameterError):
        parameters.most_messages(query)
        parameters.wait_s(query)
