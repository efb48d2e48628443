"""What administrators do to clusters and tenants."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from magnetar_metadata.store import NodeExistsError, NoNodeError, NotEmptyError
from magnetar_metadata.topic_records import Cluster, Tenant

from magnetar_broker.errors import (
    AbsentError,
    ConflictError,
    MalformedRequestError,
    PreconditionError,
    UnsupportedError,
)
from magnetar_broker.name_length import check_name_length

if TYPE_CHECKING:
    from magnetar_metadata.topic_records import TopicRecords

_NAME: Final = re.compile(r"[-=:.\w]+", re.ASCII)
_URLS: Final[Mapping[str, tuple[str, str]]] = {
    "serviceUrl": ("http", "http://pulsar.example.com:8080"),
    "serviceUrlTls": ("https", "https://pulsar.example.com:8443"),
    "brokerServiceUrl": ("pulsar", "pulsar://pulsar.example.com:6650"),
    "brokerServiceUrlTls": ("pulsar+ssl", "pulsar+ssl://pulsar.example.com:6651"),
}
_WORDS: Final[Mapping[str, str]] = {
    "serviceUrl": "service url",
    "serviceUrlTls": "service tls url",
    "brokerServiceUrl": "broker service url",
    "brokerServiceUrlTls": "broker service tls url",
}
_CLUSTER_FLAGS: Final = (
    "brokerClientTlsEnabled",
    "tlsAllowInsecureConnection",
    "brokerClientTlsEnabledWithKeyStore",
)


class Tenancy:
    """Errors of all calls: AdminError, MetadataError."""

    def __init__(self, records: TopicRecords) -> None:
        self._records = records

    # Clusters.

    async def create_cluster(self, name: str, data: Any) -> None:
        """Make a cluster known."""
        _check_name(name, "Cluster name is not valid")
        cluster = cluster_of(data)
        try:
            await self._records.clusters.create(name, cluster)
        except NodeExistsError as error:
            raise ConflictError("Cluster already exists") from error

    async def update_cluster(self, name: str, data: Any) -> None:
        """Replace what is known of a cluster."""
        cluster = cluster_of(data)
        found = await self._records.clusters.read(name)
        if found is None:
            raise AbsentError("Cluster does not exist")
        await self._records.clusters.write(name, cluster, found[1])

    async def delete_cluster(self, name: str) -> None:
        """Forget a cluster that no namespace lives in."""
        if await self._records.clusters.read(name) is None:
            raise AbsentError("Cluster does not exist")
        for tenant in await self._records.tenants.names():
            for local in await self._records.namespaces.names(tenant):
                found = await self._records.namespaces.read(f"{tenant}/{local}")
                if found is not None and name in found[0].replication_clusters:
                    raise PreconditionError("Cluster not empty")
        try:
            await self._records.clusters.delete(name)
        except NoNodeError as error:
            raise AbsentError("Cluster does not exist") from error
        except NotEmptyError as error:
            raise PreconditionError("Cluster not empty") from error

    # Tenants.

    async def create_tenant(self, name: str, info: Any) -> None:
        """Make a tenant."""
        _check_name(name, "Tenant name is not valid")
        tenant = await self._tenant_of(info)
        try:
            await self._records.tenants.create(name, tenant)
        except NodeExistsError as error:
            raise ConflictError("Tenant already exist") from error

    async def update_tenant(self, name: str, info: Any) -> None:
        """Replace the administrators and clusters of a tenant."""
        tenant = await self._tenant_of(info)
        found = await self._records.tenants.read(name)
        if found is None:
            raise AbsentError(f"Tenant {name} not found")
        tenant = replace(tenant, other={**found[0].other, **tenant.other})
        await self._records.tenants.write(name, tenant, found[1])

    async def delete_tenant(self, name: str, *, force: bool = False) -> None:
        """Forget a tenant that has no namespace."""
        if force:
            raise UnsupportedError("Broker doesn't allow forced deletion of tenants")
        if await self._records.tenants.read(name) is None:
            raise AbsentError("Tenant doesn't exist")
        busy = "The tenant still has active namespaces"
        if await self._records.namespaces.names(name):
            raise ConflictError(busy)
        try:
            await self._records.tenants.delete(name)
        except NotEmptyError as error:  # somebody made one meanwhile
            raise ConflictError(busy) from error
        except NoNodeError as error:
            raise AbsentError("Tenant doesn't exist") from error

    async def _tenant_of(self, info: Any) -> Tenant:
        if not isinstance(info, dict):
            raise PreconditionError("TenantInfo is null")
        roles, clusters = info.get("adminRoles") or [], info.get("allowedClusters")
        if clusters is None:
            raise PreconditionError("Clusters cannot be null")
        for names in (roles, clusters):
            if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
                raise MalformedRequestError("adminRoles and allowedClusters are lists of names")
        if not clusters or not all(name.strip() for name in clusters):
            raise PreconditionError("Clusters cannot be empty or blank")
        if not set(clusters) <= set(await self._records.clusters.names()):
            raise PreconditionError("Clusters do not exist")
        if any(role != role.strip() for role in roles):
            raise PreconditionError("AdminRoles contains whitespace in the beginning or end.")
        return Tenant(frozenset(roles), frozenset(clusters))


def cluster_of(data: Any) -> Cluster:
    """A cluster as the admin API has it.

    Raises:
        MalformedRequestError: it is none.
    """
    if not isinstance(data, dict):
        raise MalformedRequestError("cluster data is required")
    for key, (scheme, example) in _URLS.items():
        url = data.get(key)
        if url in (None, ""):
            continue
        if not isinstance(url, str) or not _is_url(url, scheme):
            raise MalformedRequestError(f"Illegal {_WORDS[key]}, example: {example}")
    return Cluster.from_json({**dict.fromkeys(_CLUSTER_FLAGS, False), **data})


def _is_url(url: str, scheme: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == scheme and bool(parts.hostname)
    except ValueError:
        return False


def _check_name(name: str, reason: str) -> None:
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise PreconditionError(reason)
    check_name_length("name", name, PreconditionError)
