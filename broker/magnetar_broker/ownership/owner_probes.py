"""Whether somebody answers where a bundle is served, as far as this broker can tell."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from magnetar_runtime.clock import Clock
    from magnetar_runtime.network import Network

KEPT_MS: Final = 300
"""What was found is believed for so long."""
KEPT_UNREACHED_MS: Final = 3_000
"""The same of whoever is away for longer than a session lasts."""
_CONNECT_TIMEOUT_MS: Final = 500
_MOST_ADDRESSES: Final = 1_000


@dataclass(slots=True)
class _Found:
    asked_ms: int | None = None
    away_since_ms: int | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class OwnerProbes:
    """A connection is opened and closed again; nothing is said.

    Args:
        network: None if nobody is to be asked: then all answer.
        session_timeout_ms: whoever is away for longer, and owns a bundle yet, is away for this
            broker only.
    """

    def __init__(self, network: Network | None, clock: Clock, session_timeout_ms: int) -> None:
        self._network = network
        self._clock = clock
        self._longest_ms = session_timeout_ms + session_timeout_ms // 2
        self._found: dict[str, _Found] = {}

    async def is_lost(self, url: str) -> bool:
        """Whether nobody answers at a URL, and has not for less time than a session lasts."""
        if self._network is None:
            return False
        if len(self._found) >= _MOST_ADDRESSES:
            self._found.clear()
        found = self._found.setdefault(url, _Found())
        kept_ms = min(KEPT_UNREACHED_MS, self._longest_ms // 2)
        if self._unreached(found) and (found.lock.locked() or self._age_ms(found) < kept_ms):
            return False
        async with found.lock:  # who comes meanwhile waits for the same
            if self._age_ms(found) >= KEPT_MS:
                await self._ask(url, found, self._network)
        return found.away_since_ms is not None and not self._unreached(found)

    async def _ask(self, url: str, found: _Found, network: Network) -> None:
        answers = await self._answers(url, network)
        # Asked long ago: it may have been there since, and in a new session.
        begins = found.away_since_ms is None or self._age_ms(found) >= self._longest_ms
        found.asked_ms = self._now_ms()
        if answers:
            found.away_since_ms = None
        elif begins:
            found.away_since_ms = found.asked_ms

    def _unreached(self, found: _Found) -> bool:
        """Whether its session must have ended: then it is away for this broker only."""
        if found.away_since_ms is None or self._age_ms(found) >= self._longest_ms:
            return False
        return self._now_ms() - found.away_since_ms >= self._longest_ms

    def _age_ms(self, found: _Found) -> float:
        return math.inf if found.asked_ms is None else self._now_ms() - found.asked_ms

    async def _answers(self, url: str, network: Network) -> bool:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if not host or not port:
            return True  # whoever understands it may find somebody there
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_MS / 1000):
                transport, _ = await network.connect(asyncio.Protocol, host, port)
        except OSError:  # TimeoutError is one
            return False
        transport.close()
        return True

    def _now_ms(self) -> int:
        return self._clock.monotonic_ns() // 1_000_000
