"""How namespaces are split into bundles, kept as read until metadata hints at a change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from magnetar_metadata.bundle_nodes import LOCAL_POLICIES_PATH
from magnetar_metadata.errors import NodeExistsError
from magnetar_metadata.namespace_bundles import NamespaceBundles
from magnetar_metadata.topic_records import LocalPolicies

from magnetar_broker.errors import NamespaceNotFoundError

if TYPE_CHECKING:
    from magnetar_metadata.namespace_bundles import Bundle
    from magnetar_metadata.store import MetadataStore
    from magnetar_metadata.topic_records import TopicRecords

    from magnetar_broker.topic_name import TopicName


@dataclass(frozen=True, slots=True)
class BundleMap:
    """The bundles of a namespace as one version of its local policies has them."""

    bundles: NamespaceBundles
    policies: LocalPolicies
    version: int


class BundleMaps:
    """Those of all namespaces that were asked for."""

    def __init__(self, store: MetadataStore, records: TopicRecords) -> None:
        self._store = store
        self._records = records
        self._known: dict[str, BundleMap] = {}
        self._fresh: set[str] = set()
        self._changes = 0
        self._hints: Counter[str] = Counter()
        self._ends: dict[str, Callable[[], None]] = {}

    async def of(self, namespace: str) -> BundleMap:
        """The bundles of a namespace.

        Raises:
            NamespaceNotFoundError: there is no such namespace.
            MalformedRecordError: its policies have no bundles that make sense.
        """
        if namespace in self._fresh:
            return self._known[namespace]
        if namespace not in self._ends:
            path = f"{LOCAL_POLICIES_PATH}/{namespace}"
            self._ends[namespace] = self._store.watch(path, lambda _: self.forget(namespace))
        while True:
            changes, hints = self._changes, self._hints[namespace]
            found = await self._read(namespace)
            if changes == self._changes:
                break  # else what was read may be older than what is known here
        return self._took(namespace, found, hinted=hints != self._hints[namespace])

    def _took(self, namespace: str, found: BundleMap, *, hinted: bool) -> BundleMap:
        """
        Args:
            hinted: it may have changed while it was read. Others may have read it since, then.
        """
        if not (hinted and namespace in self._fresh):
            self._known[namespace] = found
        if not hinted:
            self._fresh.add(namespace)
        return self._known[namespace]

    def known(self, namespace: str) -> BundleMap | None:
        """As it was when it was asked for last. The bundles that this broker owns are in it."""
        return self._known.get(namespace)

    def bundle_of(self, name: TopicName) -> Bundle | None:
        """The bundle of a topic, by what is known; None if its namespace was not asked for."""
        known = self._known.get(str(name.namespace))
        return None if known is None else known.bundles.bundle_of(str(name))

    def forget(self, namespace: str) -> None:
        """It may have changed: the next who asks reads it again."""
        self._hints[namespace] += 1
        self._fresh.discard(namespace)

    def replace(self, namespace: str, changed: BundleMap) -> None:
        """This broker has changed it."""
        self._changes += 1
        self._known[namespace] = changed

    def close(self) -> None:
        """Follow nothing any more."""
        for end in self._ends.values():
            end()
        self._ends.clear()
        self._fresh.clear()

    async def _read(self, namespace: str) -> BundleMap:
        found = await self._records.local_policies.read(namespace)
        if found is None:
            found = await self._make(namespace)
        policies, version = found
        return BundleMap(NamespaceBundles(namespace, policies.boundaries), policies, version)

    async def _make(self, namespace: str) -> tuple[LocalPolicies, int]:
        """A namespace that no broker has served yet: it is split as its policies say."""
        policies = await self._records.namespaces.read(namespace)
        if policies is None:
            raise NamespaceNotFoundError("Namespace not found")
        made = LocalPolicies(policies[0].boundaries)
        try:
            return made, await self._records.local_policies.create(namespace, made)
        except NodeExistsError:
            found = await self._records.local_policies.read(namespace)
            if found is None:
                raise NamespaceNotFoundError("Namespace not found") from None
            return found
