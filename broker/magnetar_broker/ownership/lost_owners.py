"""Lookups of bundles whose owner is gone wait for the end of its session.

Scenario: a broker is killed, or starts again within its former session. The bundles are owned until
that has ended. Who looks up meanwhile would be sent to where nobody answers, and come again after a
pause that it doubles each time, long after another broker has the topics.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from magnetar_metadata.broker_addresses import BrokerAddresses, BundleOwner
    from magnetar_metadata.bundle_nodes import BundleNodes
    from magnetar_metadata.namespace_bundles import Bundle

    from magnetar_broker.ownership.owner_probes import OwnerProbes

WAIT_MS: Final = 10_000
"""Of one lookup: clients wait 30 s for an answer."""
MOST_WAITING: Final = 500
"""More are answered at once: a connection with 1,000 requests under way is not read any more."""
_LOOK_AGAIN_MS: Final = 500


class LostOwners:
    """Those of other sessions that nobody answers for."""

    def __init__(self, nodes: BundleNodes, probes: OwnerProbes, addresses: BrokerAddresses) -> None:
        self._nodes = nodes
        self._probes = probes
        self._addresses = addresses
        self.waiting = 0

    async def outlast(self, bundle: Bundle, owner: BundleOwner) -> bool:
        """Wait while an owner is lost; whether it may own the bundle no more.

        Args:
            owner: of another session than that of now.
        """
        if self.waiting >= MOST_WAITING or not await self._is_lost(owner):
            return False
        if self.waiting >= MOST_WAITING:  # many came while the owner was asked
            return False
        self.waiting += 1
        changed = asyncio.Event()
        end_watch = self._nodes.watch(bundle, changed.set)
        try:
            async with asyncio.timeout(WAIT_MS / 1000):
                found = await self._nodes.owner(bundle)  # it may have gone before the watch
                if found is None or found[0] != owner:
                    return True
                return await self._until(changed, owner)
        except TimeoutError:
            return False
        finally:
            end_watch()
            self.waiting -= 1

    async def _until(self, changed: asyncio.Event, owner: BundleOwner) -> bool:
        while await self._is_lost(owner):
            try:
                async with asyncio.timeout(_LOOK_AGAIN_MS / 1000):
                    await changed.wait()
            except TimeoutError:
                continue
            return True
        return changed.is_set()

    async def _is_lost(self, owner: BundleOwner) -> bool:
        urls = owner.addresses.urls
        if urls == self._addresses.urls:
            return True  # a former process of this broker
        return await self._probes.is_lost(urls.broker or urls.broker_tls)
