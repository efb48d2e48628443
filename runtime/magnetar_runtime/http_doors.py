"""Which requests of web pages an HTTP server takes: by `Host` and `Origin`.

Nothing here asks for a password, so a page that somebody opens in a browser must not reach a server
through him. It could by a foreign origin, or by a DNS name that is rebound to the server's address.
Browsers send `Origin` with every method that changes anything and with upgrades; other clients do
not. A GET may do more than read too, if its route says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from magnetar_runtime.errors import ConfError
from magnetar_runtime.network import is_address, is_loopback

_READING: Final = ("GET", "HEAD", "OPTIONS")
_ELSEWHERE: Final = ("cross-site", "same-site")
"""Scenario: an `<img>` of any page, which has no `Origin`, receives messages of a subscription."""
_BROWSERS: Final = "Mozilla/"
"""All of them say so."""
_SCHEMES: Final = ("http", "https")
_NAMES: Final = "its names are addresses, advertisedAddress and the hosts of httpAllowedOrigins"
_METHODS: Final = "GET, POST, PUT, DELETE, HEAD, OPTIONS"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a door looks at.

    Attributes:
        hosts, origins: All values of the headers.
        upgrade: The request asks for a WebSocket.
        site: `Sec-Fetch-Site`: where the page is from that asks, by a browser that says so.
        acts: It is for a route whose GET does more than read.
    """

    method: str
    hosts: Sequence[str]
    origins: Sequence[str] = ()
    upgrade: bool = False
    site: str = ""
    acts: bool = False

    @property
    def changes(self) -> bool:
        """Whether it may do more than read."""
        return self.upgrade or self.acts or self.method not in _READING


@dataclass(frozen=True, slots=True)
class Doors:
    """Who may ask one server.

    Attributes:
        loopback: It listens on loopback only: whatever names another host is refused, and so is
            reading from other origins.
        origins: Pages of these may ask (`httpAllowedOrigins`); `*` is all.
        host_names: What the server is called, besides addresses and names of loopback.
    """

    loopback: bool
    origins: frozenset[str] = frozenset()
    host_names: frozenset[str] = frozenset()

    def refusal(self, asked: Asked) -> str | None:
        """Why a request is refused; None if it is not."""
        if self.loopback:
            if len(asked.hosts) != 1 or not is_loopback(host_of(asked.hosts[0])):
                return "the Host header does not name this machine"
        elif self._needs_name(asked) and not self._names_this(asked.hosts):
            return f"the Host header does not name this server; {_NAMES}"
        foreign = [each for each in asked.origins if not self.takes(each, asked.hosts)]
        if foreign and (self.loopback or asked.changes):
            return f"requests from other origins are refused; httpAllowedOrigins lacks {foreign[0]}"
        if asked.site in _ELSEWHERE and not asked.origins and (self.loopback or asked.changes):
            return "requests from pages of other sites are refused"
        return None

    @staticmethod
    def _needs_name(asked: Asked) -> bool:
        """Scenario: a page whose name is rebound to this server receives messages. It asks its own
        origin, and browsers say no `Origin` with such a GET."""
        return asked.acts or (asked.changes and bool(asked.origins))

    def _names_this(self, hosts: Sequence[str]) -> bool:
        """A rebound name is a name: whoever asked for an address knew which server he meant."""
        if len(hosts) != 1:
            return False
        name = host_of(hosts[0]).lower()
        known = name in self.host_names or is_loopback(name) or is_address(name)
        return known or any(name == urlsplit(each).hostname for each in self.origins)

    def takes(self, origin: str, hosts: Sequence[str]) -> bool:
        """Whether a page of this origin may ask: one that is allowed, or of the server itself."""
        if origin in self.origins or "*" in self.origins:
            return True
        return any(origin == f"{scheme}://{host}" for scheme in _SCHEMES for host in hosts[:1])

    def headers(self, asked: Asked) -> Mapping[str, str]:
        """What lets a page of an allowed origin see the answer; nothing for others."""
        if len(asked.origins) != 1 or not self.takes(asked.origins[0], asked.hosts):
            return {}
        return {
            "Access-Control-Allow-Origin": asked.origins[0],
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID",
            "Access-Control-Expose-Headers": "X-Message-Id, X-Key, X-Properties",
            "Vary": "Origin",
        }


def parse_origins(text: str) -> frozenset[str]:
    """The value of `httpAllowedOrigins`. Raises ConfError: one of them is no origin."""
    origins = frozenset(each.strip().rstrip("/") for each in text.split(",") if each.strip())
    for origin in origins - {"*"}:
        parts = urlsplit(origin)
        if parts.scheme not in _SCHEMES or not parts.hostname or parts.path or parts.query:
            raise ConfError("httpAllowedOrigins", f"'{origin}' is none, as https://host:port is")
    return origins


def unsaid_origins(user_agent: str, referer: str) -> list[str]:
    """The origin of a page whose browser says neither `Origin` nor `Sec-Fetch-Site`; none if it is
    no browser that asks.

    Scenario: the `<img>` of a page asks for messages by plain http, where browsers say neither. A
    page can have `Referer` left out, but no other origin put in, nor another `User-Agent`.
    """
    if not user_agent.startswith(_BROWSERS):
        return []
    try:
        parts = urlsplit(referer)
    except ValueError:
        return ["null"]
    return [f"{parts.scheme}://{parts.netloc}" if parts.netloc else "null"]


def host_of(host: str) -> str:
    """The `Host` header without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
