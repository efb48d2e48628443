"""The bundles of a broker in a cluster: looked up, taken, split, handed over.

A lookup goes as in Pulsar. Who owns a bundle is told to every client. A bundle that nobody owns is
given by the leader to the broker with the least to do; the client is sent there with
`authoritative` set, and that broker takes it. Nobody takes a bundle without being asked for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from magnetar_metadata.broker_addresses import BrokerAddresses, BundleOwner
from magnetar_metadata.errors import BadVersionError, SessionExpiredError
from magnetar_metadata.topic_records import LocalPolicies

from magnetar_broker.errors import NotAllowedError, ServiceNotReadyError
from magnetar_broker.ownership.bundle_maps import BundleMap
from magnetar_broker.ownership.lost_owners import LostOwners
from magnetar_broker.ownership.owned_bundles import OwnedBundles
from magnetar_broker.ownership.topic_ownership import Whereabouts, urls_of_listener

if TYPE_CHECKING:
    from magnetar_metadata.bundle_nodes import BundleNodes
    from magnetar_metadata.namespace_bundles import Bundle

    from magnetar_broker.ownership.broker_directory import BrokerDirectory
    from magnetar_broker.ownership.bundle_maps import BundleMaps
    from magnetar_broker.ownership.owner_probes import OwnerProbes
    from magnetar_broker.topic_name import TopicName

log = logging.getLogger(__name__)

_ATTEMPTS: Final = 5
"""The owner of a bundle may change, or its bundles, while a lookup is under way."""


_LEAVE_WAIT_MS: Final = 2_000
"""A lookup waits so long for the end of an unload: refused, its client doubles its pause."""


class ServedTopics(Protocol):
    """The topics that are loaded here."""

    async def close_those(self, belongs: Callable[[TopicName], bool]) -> None:
        """Close topics, those that are being loaded too; their clients look them up again."""


SplitPoint = Callable[["Bundle"], int | None]


class ClusterOwnership:
    """Of one broker. A `TopicOwnership`.

    Attributes:
        owned: What it has now.
        leaving: It takes no bundle any more.
    """

    def __init__(
        self,
        nodes: BundleNodes,
        maps: BundleMaps,
        directory: BrokerDirectory,
        addresses: BrokerAddresses,
        topics: ServedTopics,
        session_id: Callable[[], int],
        probes: OwnerProbes,
    ) -> None:
        self.owned = OwnedBundles()
        self.leaving = False
        self._nodes = nodes
        self._maps = maps
        self._directory = directory
        self._addresses = addresses
        self._topics = topics
        self._session_id = session_id
        self._lost_owners = LostOwners(nodes, probes, addresses)
        self._leaving: dict[Bundle, asyncio.Event] = {}

    # Asked by the broker.

    def serves(self, name: TopicName) -> bool:
        bundle = self._maps.bundle_of(name)
        return bundle is not None and self.owned.serves(bundle)

    async def check(self, name: TopicName) -> None:
        if self.serves(name):
            return
        found = await self._maps.of(str(name.namespace))
        bundle = found.bundles.bundle_of(str(name))
        await self._until_left(bundle)  # refused before, its client would only ask here again
        if not self.owned.serves(bundle):
            raise ServiceNotReadyError(
                f"Namespace bundle for topic ({name}) not served by this instance. "
                f"Please redo the lookup. Request is denied: namespace={name.namespace}"
            )

    async def look_up(
        self, name: TopicName, *, authoritative: bool, listener: str, may_wait: bool = False
    ) -> Whereabouts:
        for attempt in range(_ATTEMPTS):
            found = await self._maps.of(str(name.namespace))
            bundle = found.bundles.bundle_of(str(name))
            wait = may_wait and attempt == 0
            where = await self._find(bundle, found, authoritative, listener, may_wait=wait)
            if where is not None:
                return where
        raise ServiceNotReadyError(f"Topic {name} is changing hands; look it up again")

    async def look_up_bundle(self, bundle: Bundle, *, authoritative: bool) -> Whereabouts:
        """As `look_up`, for whatever topic is in a bundle."""
        for _ in range(_ATTEMPTS):
            found = await self._maps.of(bundle.namespace)
            where = await self._find(bundle, found, authoritative, "")
            if where is not None:
                return where
        raise ServiceNotReadyError(f"Bundle {bundle} is changing hands; try again")

    async def _find(
        self,
        bundle: Bundle,
        found: BundleMap,
        authoritative: bool,
        listener: str,
        *,
        may_wait: bool = False,
    ) -> Whereabouts | None:
        """None if it changed meanwhile."""
        if self.owned.serves(bundle):
            return self._here(listener)
        owner = await self._nodes.owner(bundle)
        if owner is not None and not owner[1]:
            if may_wait and await self._lost_owners.outlast(bundle, owner[0]):
                return None
            return _at_owner(owner[0], bundle, listener)
        if self.owned.is_leaving(bundle):
            if may_wait and await self._until_left(bundle):
                return None
            raise ServiceNotReadyError(f"Bundle {bundle} is being unloaded; look it up again")
        if owner is None:
            elsewhere = await self._elsewhere(bundle, authoritative, listener)
            if elsewhere is not None:
                return elsewhere
        return self._here(listener) if await self._take(bundle, found) else None

    async def _until_left(self, bundle: Bundle) -> bool:
        """Wait for the end of a bundle's unload, if there is one; whether there was and it came."""
        left = self._leaving.get(bundle)
        if left is None:
            return False
        try:
            async with asyncio.timeout(_LEAVE_WAIT_MS / 1000):
                await left.wait()
        except TimeoutError:
            return False
        return True

    def _here(self, listener: str) -> Whereabouts:
        return Whereabouts(urls=urls_of_listener(self._addresses, listener))

    async def _elsewhere(
        self, bundle: Bundle, authoritative: bool, listener: str
    ) -> Whereabouts | None:
        """Where to ask for a bundle that nobody has; None if this broker is to take it."""
        me = self._directory.broker_id
        if authoritative and not self.leaving:
            return None
        leader = await self._directory.leader()
        if leader is not None and leader.broker_id != me and not self.leaving:
            report = (await self._directory.reports()).get(leader.broker_id)
            if report is not None:
                urls = urls_of_listener(report.addresses, listener)
                return Whereabouts(urls=urls, here=False, redirect=True, authoritative=False)
        chosen = await self._directory.choose(bundle, without=me if self.leaving else None)
        if chosen is None:
            raise ServiceNotReadyError(f"No broker takes bundle {bundle} now; look it up again")
        if chosen.broker_id == me:
            return None
        urls = urls_of_listener(chosen.addresses, listener)
        return Whereabouts(urls=urls, here=False, redirect=True, authoritative=True)

    # Taking.

    async def _take(self, bundle: Bundle, found: BundleMap) -> bool:
        """Own a bundle; False if somebody else was quicker, or the bundles have changed."""
        session_id = self._session_id()
        if session_id != self.owned.session_id:
            raise ServiceNotReadyError("The broker has no session yet; look the topic up again")
        try:
            taken = await self._nodes.acquire(bundle, BundleOwner(self._addresses), found.version)
        except BadVersionError:
            self._maps.forget(bundle.namespace)
            return False
        except SessionExpiredError as error:
            raise ServiceNotReadyError(
                "The broker's session has ended; look the topic up again"
            ) from error
        if not taken:
            self._directory.refused(bundle)
            return False
        if self.leaving:
            await self._nodes.release(bundle)
            raise ServiceNotReadyError("The broker is stopping; look the topic up again")
        if not self.owned.taken(bundle, session_id):
            return False
        log.info("bundle %s is served here now", bundle)
        return True

    async def owned_by_anybody(self, namespace: str) -> list[Bundle]:
        """The bundles of a namespace that some broker serves. Raises MetadataError."""
        return await self._nodes.owned(namespace)

    # Giving back.

    def begin_session(self, session_id: int) -> None:
        """Bundles may be taken, in this session."""
        self.owned.begin_session(session_id)

    def session_ended(self, session_id: int) -> list[Bundle]:
        """All bundles are lost, and their nodes gone."""
        return self.owned.session_ended(session_id)

    async def unload(self, bundle: Bundle) -> None:
        """Close the topics of a bundle and leave it to whoever is asked for it next.

        Raises:
            MetadataError: the node is there, so the bundle is served here on.
        """
        if not self.owned.begin_leave(bundle):
            return
        session_id = self.owned.session_id
        ended = self._leaving[bundle] = asyncio.Event()
        try:
            await self._leave(bundle, session_id)
        finally:
            if self._leaving.get(bundle) is ended:
                del self._leaving[bundle]
            ended.set()

    async def _leave(self, bundle: Bundle, session_id: int) -> None:
        try:
            await self._close_topics(bundle)
            if session_id == self.owned.session_id:
                await self._nodes.release(bundle)
        except BaseException:
            if session_id == self.owned.session_id:
                self.owned.stay(bundle)
            raise
        if session_id == self.owned.session_id:
            self.owned.left(bundle)
        log.info("bundle %s is not served here any more", bundle)

    async def _close_topics(self, bundle: Bundle) -> None:
        await self._topics.close_those(lambda name: self._maps.bundle_of(name) == bundle)

    # Splitting.

    async def split(self, bundle: Bundle, point: SplitPoint) -> tuple[Bundle, Bundle]:
        """Split a bundle that is served here; its topics are served on.

        Args:
            point: where.

        Raises:
            ServiceNotReadyError: it is not served here.
            NotAllowedError: it is too small.
            BadVersionError: its namespace was changed at the same time.
        """
        found = await self._maps.of(bundle.namespace)
        if not self.owned.serves(bundle) or bundle not in found.bundles:
            raise ServiceNotReadyError(f"Bundle {bundle} is not served here")
        at = point(bundle)
        if at is None:
            raise NotAllowedError(f"Bundle {bundle} cannot be split")
        changed = found.bundles.split(bundle, at)
        first, second = (each for each in changed.bundles if each not in found.bundles)
        policies = LocalPolicies(changed.boundaries, found.policies.other)
        session_id = self.owned.session_id
        owner = BundleOwner(self._addresses)
        try:
            version = await self._nodes.split(
                bundle, (first, second), owner, policies, found.version
            )
        finally:
            self._maps.forget(bundle.namespace)
        if session_id == self.owned.session_id:
            # In one step: a topic is in a bundle that is owned, before and after.
            self._maps.replace(bundle.namespace, BundleMap(changed, policies, version))
            self.owned.split(bundle, (first, second))
        return first, second


def _at_owner(owner: BundleOwner, bundle: Bundle, listener: str) -> Whereabouts:
    if owner.disabled:
        raise ServiceNotReadyError(f"Bundle {bundle} is being unloaded; look it up again")
    return Whereabouts(urls=urls_of_listener(owner.addresses, listener), here=False)
