"""Service URLs: where a client begins to look."""

import re
from dataclasses import dataclass
from typing import ClassVar, Final, Self
from urllib.parse import SplitResult, urlsplit

from magnetar.errors import InvalidUrl

_EXPECTED: Final = "expected pulsar://, pulsar+ssl://, http:// or https:// with host:port"

_NOT_OF_HOST: Final = re.compile(r"^[a-z+]+://|[/?#].*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """A host, a port, and whether TLS is spoken there. Its scheme is of the kind of address."""

    host: str
    port: int
    tls: bool = False

    schemes: ClassVar[tuple[str, str]] = ("", "")
    """Without TLS, with TLS."""
    default_ports: ClassVar[tuple[int, int]] = (0, 0)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read one URL.

        Raises:
            InvalidUrl: it is none, or of another scheme.
        """
        parts = _split(url)
        if parts.scheme not in cls.schemes:
            plain, secure = cls.schemes
            raise InvalidUrl(f"URL {url!r}: expected {plain}://host:port or {secure}://host:port")
        tls = parts.scheme == cls.schemes[1]
        try:
            port = parts.port or cls.default_ports[tls]
        except ValueError as error:
            raise InvalidUrl(f"URL {url!r}: {error}") from error
        if not parts.hostname:
            raise InvalidUrl(f"URL {url!r} names no host")
        return cls(_ascii(url, parts.hostname), port, tls)

    @property
    def authority(self) -> str:
        """`host:port`, with brackets around an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.schemes[self.tls]}://{self.authority}"


class BrokerAddress(Address):
    """One broker: `pulsar://host:port`, or `pulsar+ssl://host:port` with TLS."""

    __slots__ = ()
    schemes = ("pulsar", "pulsar+ssl")
    default_ports = (6650, 6651)


class WebAddress(Address):
    """HTTP of one broker: `http://host:port`, or `https://host:port`."""

    __slots__ = ()
    schemes = ("http", "https")
    default_ports = (80, 443)


def parse_service_url(url: str) -> list[BrokerAddress] | list[WebAddress]:
    """The brokers of `pulsar://host1:port1,host2:port2`, of which any will do.

    Raises:
        InvalidUrl: it cannot be read.
    """
    scheme, separator, rest = url.partition("://")
    known = (*WebAddress.schemes, *BrokerAddress.schemes)
    if not separator or scheme.lower() not in known:
        raise InvalidUrl(f"service URL {url!r}: {_EXPECTED}")
    given = [each.strip().removesuffix("/") for each in rest.split(",")]
    hosts = [_NOT_OF_HOST.sub("", each) for each in given]
    if hosts != given:
        raise InvalidUrl(
            f"service URL {url!r}: one scheme is for all hosts, and they have no path: "
            f"write {scheme}://{','.join(hosts)}"
        )
    urls = [f"{scheme}://{each}" for each in hosts]
    if scheme.lower() in WebAddress.schemes:
        return [WebAddress.parse(each) for each in urls]
    return [BrokerAddress.parse(each) for each in urls]


def _ascii(url: str, host: str) -> str:
    """A host as it is asked for."""
    try:
        return host.encode("ascii" if host.isascii() or ":" in host else "idna").decode("ascii")
    except UnicodeError as error:
        raise InvalidUrl(f"URL {url!r}: {host!r} is no name of a host") from error


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise InvalidUrl(f"URL {url!r}: {error}") from error
