"""Policies in the metadata store: read and changed by compare-and-set.

A namespace's stand in its record, in Pulsar's form. A topic's have a node of their own
(docs/adr, "Topic policies in metadata"): who reads after a change was answered sees it, and two
who change different policies at one time do not undo each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.session_bound import SessionBoundStore
from magnetar_metadata.store import (
    BadVersionError,
    Check,
    NodeExistsError,
    NoNodeError,
    SetValue,
)
from magnetar_metadata.topic_records import Policies, TopicRecords, partitioned_topic_name

from magnetar_broker.errors import NamespaceNotFoundError, TopicConflictError, TopicNotFoundError

if TYPE_CHECKING:
    from magnetar_metadata.store import MetadataStore

    from magnetar_broker.topic_name import NamespaceName, TopicName

TOPIC_POLICIES_PATH: Final = "/magnetar/topic-policies"
_NAMESPACES_PATH: Final = "/admin/policies"
_TRIES: Final = 20
"""Changes of others that one change survives."""

Change = Callable[[dict[str, Any]], None]
"""Changes settings in place. Called again with newer ones if somebody else was quicker."""


class PolicyStore:
    """What is set. Errors of all calls: MetadataError, and those that are named."""

    def __init__(self, store: MetadataStore, records: TopicRecords) -> None:
        self._store = store
        self._records = records

    def of_session(self) -> PolicyStore:
        """The same for as long as the session of now lasts; a later write is refused."""
        store = SessionBoundStore(self._store)
        return PolicyStore(store, TopicRecords(store))

    async def namespace(self, name: NamespaceName) -> Mapping[str, Any]:
        """What is set for a namespace, by the keys of its record.

        Raises:
            NamespaceNotFoundError
        """
        found = await self._records.namespaces.read(str(name))
        if found is None:
            raise NamespaceNotFoundError("Namespace does not exist")
        return found[0].settings

    async def change_namespace(self, name: NamespaceName, change: Change) -> None:
        """Change what is set for a namespace, in one step.

        Raises:
            NamespaceNotFoundError
            TopicConflictError: others change it all the time.
        """
        for _ in range(_TRIES):
            found = await self._records.namespaces.read(str(name))
            if found is None or found[0].deleted:
                raise NamespaceNotFoundError("Namespace does not exist")
            policies, version = found
            settings = dict(policies.settings)
            change(settings)
            changed = Policies(
                policies.replication_clusters, policies.boundaries, policies.deleted, settings
            )
            try:
                await self._records.namespaces.write(str(name), changed, version)
            except BadVersionError:
                continue
            except NoNodeError as error:
                raise NamespaceNotFoundError("Namespace does not exist") from error
            return
        raise TopicConflictError(f"Namespace {name} is being changed by others; try again")

    async def topic(self, name: TopicName) -> dict[str, Any]:
        """What is set for a topic; for a partition that of its partitioned topic.

        Raises:
            MalformedRecordError
        """
        node = await self._store.get(topic_path(name))
        return {} if node is None else _decoded(node.value)

    async def change_topic(self, name: TopicName, change: Change) -> None:
        """Change what is set for a topic that exists, in one step.

        Raises:
            TopicNotFoundError: it was deleted meanwhile.
            TopicConflictError: others change it all the time.
        """
        path = topic_path(name)
        for _ in range(_TRIES):
            node = await self._store.get(path)
            if node is None:
                await self._make(path)
                continue
            settings = _decoded(node.value)
            change(settings)
            try:
                await self._write(name, path, settings, node.stat.version)
            except (BadVersionError, NoNodeError):
                continue
            return
        raise TopicConflictError(f"The policies of {name} are being changed by others; try again")

    async def _write(self, name: TopicName, path: str, settings: Any, version: int) -> None:
        value = json.dumps(settings, separators=(",", ":")).encode()
        if not name.persistent:
            await self._store.set(path, value, version)
            return
        # Scenario: the topic is deleted between the look whether it is there and this write; one
        # that is made later under its name would have policies that nobody gave it.
        existence = _existence_path(name)
        if await self._store.get(existence) is None:
            existence = _partitioned_path(name)
            if await self._store.get(existence) is None:
                raise TopicNotFoundError(f"Topic {name} not found")
        await self._store.multi([Check(existence, -1), SetValue(path, value, version)])

    async def _make(self, path: str) -> None:
        try:
            await self._store.create(path, b"{}")
        except NodeExistsError:
            return  # somebody else was quicker

    async def forget_topic(self, name: TopicName) -> None:
        """The topic is deleted: whoever makes another one of its name begins without policies.

        Nothing tells whose topic it is: who may have lost it asks in a session (`of_session`).
        """
        try:
            await self._store.delete(topic_path(name))
        except NoNodeError:
            return

    def watch_namespace(self, name: NamespaceName, hint: Callable[[], None]) -> Callable[[], None]:
        """Call `hint` when what is set for a namespace may have changed. Returns what ends it."""
        return self._store.watch(f"{_NAMESPACES_PATH}/{name}", lambda _: hint())

    def watch_topic(self, name: TopicName, hint: Callable[[], None]) -> Callable[[], None]:
        """The same for a topic."""
        return self._store.watch(topic_path(name), lambda _: hint())


def topic_path(name: TopicName) -> str:
    """Where the policies of a topic, or of the topic that it is a partition of, stand."""
    return f"{TOPIC_POLICIES_PATH}/{_record_name(name)}"


def _partitioned_path(name: TopicName) -> str:
    return f"/admin/partitioned-topics/{_record_name(name)}"


def _existence_path(name: TopicName) -> str:
    return f"/managed-ledgers/{name.ledger_name}"


def _record_name(name: TopicName) -> str:
    whole = name.parent if name.is_partition else name
    return partitioned_topic_name(
        whole.tenant, whole.namespace_name, whole.domain, whole.local_name
    )


def _decoded(value: bytes) -> dict[str, Any]:
    try:
        settings = json.loads(value)
    except ValueError as error:
        raise MalformedRecordError("topic policies", repr(error)) from error
    if not isinstance(settings, dict):
        raise MalformedRecordError("topic policies", "no JSON object")
    return settings
