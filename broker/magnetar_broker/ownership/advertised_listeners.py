"""`advertisedListeners`: the names under which clients of different networks know this broker."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from magnetar_metadata.broker_addresses import BrokerAddresses, Urls
from magnetar_runtime.errors import ConfError

_KEY: Final = "advertisedListeners"
_FIELDS: Final[Mapping[str, str]] = {
    "pulsar": "broker",
    "pulsar+ssl": "broker_tls",
    "http": "web",
    "https": "web_tls",
}


def parse_listeners(text: str) -> dict[str, Urls]:
    """Read `name:pulsar://host:port,name:http://host:port,...`.

    Raises:
        ConfError: it is none, or a listener has two addresses of one kind, or none for clients.
    """
    found: dict[str, dict[str, str]] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, colon, url = part.partition(":")
        field = _FIELDS.get(_scheme_of(url))
        if not colon or not name.strip() or field is None:
            raise ConfError(_KEY, f"'{part}' is not NAME:pulsar://HOST:PORT")
        urls = found.setdefault(name.strip(), {})
        if field in urls:
            raise ConfError(_KEY, f"listener {name.strip()} has two addresses of one kind")
        urls[field] = url.strip()
    for name, urls in found.items():
        if not urls.keys() & {"broker", "broker_tls"}:
            raise ConfError(_KEY, f"listener {name} has no pulsar:// address")
    return {name: Urls(**urls) for name, urls in found.items()}


def addresses_of(own: Urls, listeners: Mapping[str, Urls], internal_name: str) -> BrokerAddresses:
    """The addresses of a broker: those for everybody are the internal listener's.

    Args:
        own: what it is without listeners.
        internal_name: `internalListenerName`; empty for the first of them.

    Raises:
        ConfError: there is no listener of that name.
    """
    if not listeners:
        if internal_name:
            raise ConfError("internalListenerName", f"{_KEY} has no '{internal_name}'")
        return BrokerAddresses(urls=own)
    internal = listeners.get(internal_name or next(iter(listeners)))
    if internal is None:
        raise ConfError("internalListenerName", f"{_KEY} has no '{internal_name}'")
    # Brokers know each other by the HTTP address, which stays.
    urls = Urls(
        broker=internal.broker or own.broker,
        broker_tls=internal.broker_tls,
        web=own.web,
        web_tls=own.web_tls,
    )
    return BrokerAddresses(urls=urls, listeners=dict(listeners))


def _scheme_of(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        return parts.scheme if parts.hostname and parts.port else ""
    except ValueError:
        return ""
