"""Tenants, namespaces and the cluster: what a first start makes, and whether a name is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from magnetar_metadata.store import NodeExistsError
from magnetar_metadata.topic_records import Cluster, LocalPolicies, Policies, Tenant

from magnetar_broker.errors import (
    MalformedRequestError,
    NamespaceNotFoundError,
    TopicExistsError,
)
from magnetar_broker.policies.topic_creation import TopicCreation
from magnetar_broker.topic_name import NamespaceName

if TYPE_CHECKING:
    from magnetar_metadata.topic_records import JsonRecords, RecordT, TopicRecords

    from magnetar_broker.config import BrokerConfig

FIRST_NAMESPACES: Final = (NamespaceName("public", "default"), NamespaceName("pulsar", "system"))


MOST_BUNDLES: Final = 1 << 16


class Namespaces:
    """What metadata says of them; nothing is kept here."""

    def __init__(self, records: TopicRecords, config: BrokerConfig) -> None:
        self._records = records
        self._config = config

    async def bootstrap(self) -> None:
        """Make the cluster and the first tenants and namespaces, where they are missing.

        No address is written down: the same directory may be served elsewhere tomorrow.

        Raises:
            MetadataError
        """
        cluster = self._config.cluster
        await _ensure(self._records.clusters, cluster, Cluster())
        for name in FIRST_NAMESPACES:
            tenant = Tenant(allowed_clusters=frozenset((cluster,)))
            await _ensure(self._records.tenants, name.tenant, tenant)
            await _ensure(self._records.namespaces, str(name), self._first_policies({}))
            await _ensure(self._records.local_policies, str(name), LocalPolicies())

    def _first_policies(self, settings: Mapping[str, Any]) -> Policies:
        policies = Policies.from_json(dict(settings))
        clusters = policies.replication_clusters or frozenset((self._config.cluster,))
        return Policies(clusters, policies.boundaries, settings=policies.settings)

    async def check(self, name: NamespaceName) -> None:
        """Raise unless there is such a namespace.

        Raises:
            NamespaceNotFoundError
        """
        found = await self._records.namespaces.read(str(name))
        if found is None or found[0].deleted:
            raise NamespaceNotFoundError("Namespace not found")

    async def topic_creation(self, name: NamespaceName) -> TopicCreation:
        """What a namespace says of topics that are to be made.

        Raises:
            NamespaceNotFoundError
        """
        found = await self._records.namespaces.read(str(name))
        if found is None or found[0].deleted:
            raise NamespaceNotFoundError("Namespace not found")
        return TopicCreation.of(found[0].settings, self._config)

    async def policies(self, name: NamespaceName) -> dict[str, Any]:
        """The policies of a namespace, as JSON.

        Raises:
            NamespaceNotFoundError
        """
        found = await self._records.namespaces.read(str(name))
        if found is None:
            raise NamespaceNotFoundError("Namespace does not exist")
        return found[0].to_json()

    async def create(self, name: NamespaceName, settings: Mapping[str, Any]) -> None:
        """Make a namespace of a tenant that exists.

        Args:
            settings: policies by Pulsar's JSON keys; those not built are kept for later.

        Raises:
            TopicExistsError: it is there already.
            MalformedRequestError: `settings` are no policies.
        """
        try:
            _check_bundles(settings)
            policies = self._first_policies(settings)
        except (TypeError, ValueError, AttributeError) as error:
            raise MalformedRequestError(f"These are no policies: {error}") from error
        try:
            await self._records.namespaces.create(str(name), policies)
        except NodeExistsError as error:
            raise TopicExistsError("Namespace already exists") from error
        await _ensure(self._records.local_policies, str(name), LocalPolicies(policies.boundaries))

    async def names(self, tenant: str) -> list[str]:
        """The namespaces of a tenant, as `tenant/name`."""
        return [f"{tenant}/{name}" for name in await self._records.namespaces.names(tenant)]

    async def tenants(self) -> list[str]:
        return await self._records.tenants.names()

    async def tenant(self, name: str) -> dict[str, Any] | None:
        """A tenant as JSON, or None."""
        found = await self._records.tenants.read(name)
        return None if found is None else found[0].to_json()

    async def clusters(self) -> list[str]:
        return await self._records.clusters.names()

    async def cluster(self, name: str) -> dict[str, Any] | None:
        """A cluster as JSON, with the addresses of this broker if it is its own, or None."""
        found = await self._records.clusters.read(name)
        if found is None:
            return None
        data = found[0].to_json()
        if name == self._config.cluster:
            data.setdefault("serviceUrl", self._config.web_url)
            data.setdefault("brokerServiceUrl", self._config.broker_url)
        return data


def _check_bundles(settings: Mapping[str, Any]) -> None:
    count = (settings.get("bundles") or {}).get("numBundles") or 0
    if not 0 <= count <= MOST_BUNDLES:
        raise ValueError(f"a namespace has at most {MOST_BUNDLES} bundles")


async def _ensure(records: JsonRecords[RecordT], name: str, record: RecordT) -> None:
    if await records.read(name) is not None:
        return
    try:
        await records.create(name, record)
    except NodeExistsError:
        return  # another broker was quicker
