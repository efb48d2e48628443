"""Where a broker is reached, and the JSON in which it says so: of an owner, of a leader."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Urls:
    """The addresses of one listener; empty where there is none."""

    broker: str = ""
    broker_tls: str = ""
    web: str = ""
    web_tls: str = ""

    def to_json(self) -> dict[str, str]:
        return _given(
            {
                "brokerServiceUrl": self.broker,
                "brokerServiceUrlTls": self.broker_tls,
                "brokerHttpUrl": self.web,
                "brokerHttpsUrl": self.web_tls,
            }
        )

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            broker=record.get("brokerServiceUrl") or "",
            broker_tls=record.get("brokerServiceUrlTls") or "",
            web=record.get("brokerHttpUrl") or "",
            web_tls=record.get("brokerHttpsUrl") or "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddresses:
    """Those for everybody, and those for the clients of named listeners."""

    urls: Urls
    listeners: Mapping[str, Urls] = field(default_factory=dict)

    def of_listener(self, name: str) -> Urls | None:
        """Where clients of a listener connect; None if there is none of this name.

        A listener that names no HTTP address is reached over HTTP at that for everybody.
        """
        if not name:
            return self.urls
        found = self.listeners.get(name)
        if found is None:
            return None
        return Urls(
            broker=found.broker,
            broker_tls=found.broker_tls,
            web=found.web or self.urls.web,
            web_tls=found.web_tls or self.urls.web_tls,
        )

    def listeners_to_json(self) -> dict[str, Any]:
        return {name: urls.to_json() for name, urls in self.listeners.items()}


@dataclass(frozen=True, slots=True)
class BundleOwner:
    """Who serves a bundle: the value of its ownership node.

    Attributes:
        disabled: It is being unloaded: its topics are not to be looked for there.
    """

    addresses: BrokerAddresses
    disabled: bool = False

    def to_json(self) -> dict[str, Any]:
        urls = self.addresses.urls
        return {
            **_given(
                {
                    "nativeUrl": urls.broker,
                    "nativeUrlTls": urls.broker_tls,
                    "httpUrl": urls.web,
                    "httpUrlTls": urls.web_tls,
                }
            ),
            "disabled": self.disabled,
            "advertisedListeners": self.addresses.listeners_to_json(),
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        urls = Urls(
            broker=record.get("nativeUrl") or "",
            broker_tls=record.get("nativeUrlTls") or "",
            web=record.get("httpUrl") or "",
            web_tls=record.get("httpUrlTls") or "",
        )
        listeners = listeners_from_json(record.get("advertisedListeners"))
        addresses = BrokerAddresses(urls=urls, listeners=listeners)
        return cls(addresses, bool(record.get("disabled", False)))


@dataclass(frozen=True, slots=True)
class LeaderRecord:
    """Who decides which broker gets a bundle: the value of the election's node.

    Attributes:
        broker_id: `host:port` of its HTTP service, as it is registered.
        service_url: Of the same.
    """

    broker_id: str
    service_url: str

    def to_json(self) -> dict[str, Any]:
        return {"brokerId": self.broker_id, "serviceUrl": self.service_url}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        service_url = record.get("serviceUrl") or ""
        broker_id = record.get("brokerId") or service_url.rpartition("//")[2].rstrip("/")
        return cls(broker_id, service_url)


def listeners_from_json(record: Any) -> dict[str, Urls]:
    """Of a JSON object by names, or of nothing."""
    return {name: Urls.from_json(urls) for name, urls in (record or {}).items()}


def _given(urls: Mapping[str, str]) -> dict[str, str]:
    return {key: url for key, url in urls.items() if url}
