"""What is done to the partitions of a topic, each of which any broker of the cluster may serve.

The admin API has a call for each of these things for one topic. So it is asked for every partition:
this broker asks itself, and is sent on to the owner as any client is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import aiohttp
from magnetar_ledger.position import EARLIEST, LATEST, Position
from yarl import URL

from magnetar_broker.errors import (
    BrokerError,
    NotAllowedError,
    ServiceNotReadyError,
    SubscriptionNotFoundError,
    TopicBusyError,
    TopicConflictError,
    TopicNotFoundError,
    UnknownBrokerError,
)

if TYPE_CHECKING:
    from magnetar_metadata.namespace_bundles import Bundle

    from magnetar_broker.topic_name import TopicName

CALL_TIMEOUT_S: Final = 60.0

_ERRORS: Final[Mapping[int, type[BrokerError]]] = {
    404: TopicNotFoundError,
    405: NotAllowedError,
    409: TopicConflictError,
    412: TopicBusyError,
    503: ServiceNotReadyError,
}


class PartitionCalls:
    """Errors of all calls: BrokerError.

    Args:
        web_url: of this broker, now.
    """

    def __init__(self, web_url: Callable[[], str]) -> None:
        self._web_url = web_url

    async def delete(self, name: TopicName, *, force: bool) -> None:
        await self._call("DELETE", name, query={"force": _text(force)})

    async def in_use(self, name: TopicName) -> bool:
        """Whether it has producers or consumers."""
        stats = await self.stats(name)
        consumers = [each["consumers"] for each in stats["subscriptions"].values()]
        return bool(stats["publishers"]) or any(consumers)

    async def stats(self, name: TopicName, *, internal: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = await self._call(
            "GET", name, "/internalStats" if internal else "/stats"
        )
        return found

    async def unload(self, name: TopicName) -> None:
        await self._call("PUT", name, "/unload")

    async def terminate(self, name: TopicName) -> Position:
        found = await self._call("POST", name, "/terminate")
        return Position(found["ledgerId"], found["entryId"])

    async def truncate(self, name: TopicName) -> None:
        await self._call("DELETE", name, "/truncate")

    async def subscriptions(self, name: TopicName) -> list[str]:
        found: list[str] = await self._call("GET", name, "/subscriptions")
        return found

    async def create_subscription(
        self, name: TopicName, subscription: str, start: Position
    ) -> bool:
        """Whether it was made; False if it was there."""
        body: Any = {EARLIEST: "earliest", LATEST: "latest"}.get(start)
        if body is None:
            body = {"ledgerId": start.ledger_id, "entryId": start.entry_id}
        try:
            await self._call("PUT", name, _subscription(subscription), body=body)
        except TopicConflictError:
            return False
        return True

    async def delete_subscription(self, name: TopicName, subscription: str, *, force: bool) -> None:
        query = {"force": _text(force)}
        await self._call("DELETE", name, _subscription(subscription), query=query)

    async def reset_to_time(self, name: TopicName, subscription: str, time_ms: int) -> None:
        await self._call("POST", name, f"{_subscription(subscription)}/resetcursor/{time_ms}")

    async def call(self, method: str, name: TopicName, path: str, body: Any = None) -> Any:
        """Any call that is not worth a method of its own; what it answers, None for nothing."""
        return await self._call(method, name, path, body=body)

    async def unload_bundle(self, bundle: Bundle) -> None:
        """Whoever has it leaves it to others."""
        await self._request("PUT", f"/namespaces/{bundle}/unload")

    async def split_bundle(self, bundle: Bundle, *, unload: bool) -> None:
        """Whoever has it splits it; with `unload` others may have the parts then."""
        query = {"unload": _text(unload)}
        await self._request("PUT", f"/namespaces/{bundle}/split", query=query)

    async def _call(
        self,
        method: str,
        name: TopicName,
        path: str = "",
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Any:
        topic = f"/{name.domain}/{name.namespace}/{quote(name.local_name, safe='')}"
        return await self._request(method, f"{topic}{path}", query=query, body=body)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Any:
        url = f"{self._web_url()}/admin/v2{path}"
        timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(
                    method, URL(url, encoded=True), params=query, json=body
                ) as response,
            ):
                if response.status >= 400:
                    raise _error_of(response.status, await response.text(), path)
                text = await response.text() if response.status == 200 else ""
                return json.loads(text) if text else None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ServiceNotReadyError(f"The owner of {path} does not answer: {error!r}") from error


def _error_of(status: int, text: str, path: str) -> BrokerError:
    try:
        reason = json.loads(text)["reason"]
    except (ValueError, KeyError, TypeError):
        reason = text
    if status == 404 and "/subscription/" in path:
        return SubscriptionNotFoundError(reason)
    return _ERRORS.get(status, UnknownBrokerError)(reason)


def _subscription(name: str) -> str:
    return f"/subscription/{quote(name, safe='')}"


def _text(flag: bool) -> str:
    return "true" if flag else "false"
