"""What is asked of a broker over HTTP: for service URLs with `http://` and `https://`."""

import json
from typing import Any, Final
from urllib.parse import quote, urlencode

from magnetar.connection_pool import Route
from magnetar.errors import (
    AuthenticationError,
    AuthorizationError,
    InvalidTopicName,
    InvalidUrl,
    LookupError,
    NotAllowedError,
    OperationNotSupported,
    PulsarException,
    ServiceUnitNotReady,
    TooManyLookupRequestException,
    TopicNotFound,
    UnknownError,
)
from magnetar.service_url import BrokerAddress, WebAddress
from magnetar.web_client import WebClient
from magnetar.web_messages import Answer

_BY_STATUS: Final[dict[int, type[PulsarException]]] = {
    401: AuthenticationError,
    403: AuthorizationError,
    404: TopicNotFound,
    412: InvalidTopicName,
    429: TooManyLookupRequestException,
    503: ServiceUnitNotReady,
}
_OF_ANYBODY: Final = (401, 403, 429)
"""Mean the same without a reason. Any other refusal without one is of a proxy that finds no broker
just now, and asking again may help."""
_MODES: Final = ("PERSISTENT", "NON_PERSISTENT", "ALL")


class WebDirectory:
    """Asks one broker over HTTP; each question is one attempt.

    Args:
        listener_name: which of the addresses that brokers advertise is wanted.
    """

    def __init__(self, address: WebAddress, web: WebClient, listener_name: str | None) -> None:
        self._address = address
        self._web = web
        self._listener_name = listener_name

    async def partitions(self, topic: str) -> int:
        """How many partitions a topic has; 0 if it is not partitioned."""
        target = f"/admin/v2/{_path_of(topic)}/partitions?checkAllowAutoCreation=true"
        answer = await self._get(target, f"partitions of {topic}")
        count = answer.get("partitions") if isinstance(answer, dict) else None
        if not isinstance(count, int):
            raise self._unreadable(f"partitions of {topic}")
        return count

    async def route(self, topic: str) -> Route:
        """Where the broker of a topic is."""
        what = f"lookup of {topic}"
        target = f"/lookup/v2/topic/{_path_of(topic)}"
        if self._listener_name:
            target += "?" + urlencode({"listenerName": self._listener_name})
        answer = await self._get(target, what)
        if not isinstance(answer, dict):
            raise self._unreadable(what)
        url = answer.get("brokerUrlTls" if self._address.tls else "brokerUrl")
        if not url:
            raise LookupError(f"{what}: the broker has no address of the kind used")
        try:
            return Route.direct(BrokerAddress.parse(str(url)))
        except InvalidUrl as error:
            raise LookupError(f"{what}: {error}") from error

    async def topics(self, namespace: str, mode: int) -> list[str]:
        """The full names of the topics of a namespace."""
        path = "/".join(quote(part, safe="") for part in namespace.split("/"))
        target = f"/admin/v2/namespaces/{path}/topics?mode={_MODES[mode]}"
        answer = await self._get(target, f"topics of {namespace}")
        if not isinstance(answer, list):
            raise self._unreadable(f"topics of {namespace}")
        return [str(name) for name in answer]

    async def _get(self, target: str, what: str) -> Any:
        answer = await self._web.get(self._address, target, what)
        if answer.status != 200:
            raise refusal(answer, what)
        try:
            return json.loads(answer.body)
        except ValueError as error:
            raise self._unreadable(what) from error

    def _unreadable(self, what: str) -> PulsarException:
        return LookupError(f"{what}: {self._address} answers, but not as a broker does")


def refusal(answer: Answer, what: str) -> PulsarException:
    """The exception for an answer that is none."""
    reason = _reason_of(answer.body)
    if not reason and answer.status < 500 and answer.status not in _OF_ANYBODY:
        kind: type[PulsarException] = LookupError
    else:
        other = UnknownError if answer.status >= 500 else NotAllowedError
        kind = _BY_STATUS.get(answer.status, other)
    return kind(f"{what}: {reason or kind.__doc__} (HTTP {answer.status})")


def _reason_of(body: bytes) -> str:
    """The broker's own words; a page of some proxy is none."""
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    return str(answer.get("reason") or "") if isinstance(answer, dict) else ""


def _path_of(topic: str) -> str:
    domain, _, rest = topic.partition("://")
    parts = rest.split("/")
    if len(parts) != 3:
        raise OperationNotSupported(
            f"topic {topic!r}: names with a cluster are not looked up over HTTP"
        )
    return "/".join([domain, *(quote(part, safe="") for part in parts)])
