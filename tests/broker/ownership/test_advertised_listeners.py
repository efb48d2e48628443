"""The forms of `advertisedListeners`."""

import pytest
from magnetar_broker.ownership.advertised_listeners import addresses_of, parse_listeners
from magnetar_metadata.broker_addresses import Urls
from magnetar_runtime.errors import ConfError

OWN = Urls(broker="pulsar://localhost:6650", web="http://localhost:8080")
TEXT = "in:pulsar://10.0.0.1:6650, out:pulsar://example.org:1,out:pulsar+ssl://example.org:2"


def test_names_and_kinds() -> None:
    assert parse_listeners("") == {}
    assert parse_listeners(TEXT) == {
        "in": Urls(broker="pulsar://10.0.0.1:6650"),
        "out": Urls(broker="pulsar://example.org:1", broker_tls="pulsar+ssl://example.org:2"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "pulsar://host:1",
        "a:host:1",
        "a:pulsar://host",
        "a:pulsar://:1",
        ":pulsar://host:1",
        "a:kafka://host:1",
        "a:pulsar://host:x",
        "a:pulsar://host:1,a:pulsar://host:2",
        "a:http://host:1",
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ConfError):
        parse_listeners(text)


def test_the_internal_listener_is_for_everybody() -> None:
    listeners = parse_listeners(TEXT)
    first = addresses_of(OWN, listeners, "")
    assert first.urls == Urls(broker="pulsar://10.0.0.1:6650", web="http://localhost:8080")
    assert first.listeners == listeners
    assert addresses_of(OWN, listeners, "out").urls.broker_tls == "pulsar+ssl://example.org:2"
    assert addresses_of(OWN, {}, "").urls == OWN


@pytest.mark.parametrize("listeners", [{}, parse_listeners(TEXT)])
def test_an_internal_listener_that_is_not_there(listeners: dict[str, Urls]) -> None:
    with pytest.raises(ConfError):
        addresses_of(OWN, listeners, "other")
