"""What administrators do to namespaces as a whole: permissions, properties, their end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from magnetar_metadata.store import BadVersionError, NoNodeError

from magnetar_broker.errors import (
    AbsentError,
    ConflictError,
    MalformedRequestError,
    UnsupportedError,
)
from magnetar_broker.topic_name import NON_PERSISTENT, PERSISTENT

if TYPE_CHECKING:
    from magnetar_metadata.topic_records import Policies, TopicRecords

    from magnetar_broker.service import BrokerService
    from magnetar_broker.topic_name import NamespaceName, TopicName

_TRIES: Final = 20
ACTIONS: Final = ("produce", "consume", "functions", "sources", "sinks", "packages")


class NamespaceAdmin:
    """Errors of all calls: BrokerError, LedgerError, MetadataError."""

    def __init__(self, service: BrokerService, records: TopicRecords) -> None:
        self._service = service
        self._records = records

    async def _change(self, name: NamespaceName, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the settings of a namespace in one step, whoever else changes them."""
        for _ in range(_TRIES):
            found = await self._records.namespaces.read(str(name))
            if found is None or found[0].deleted:
                raise AbsentError("Namespace does not exist")
            policies, version = found
            record = policies.to_json()
            change(record)
            changed = type(policies).from_json(record)
            try:
                await self._records.namespaces.write(str(name), changed, version)
            except BadVersionError:
                continue
            except NoNodeError as error:
                raise AbsentError("Namespace does not exist") from error
            return
        raise ConflictError(f"Others change the policies of {name} all the time; retry later")

    async def _policies(self, name: NamespaceName) -> dict[str, Any]:
        return await self._service.namespaces.policies(name)

    # Properties.

    async def properties(self, name: NamespaceName) -> dict[str, str]:
        """What is written down beside a namespace."""
        return dict((await self._policies(name)).get("properties") or {})

    async def set_properties(self, name: NamespaceName, properties: Mapping[str, str]) -> None:
        """Add to the properties, or replace those of the same name."""

        def change(record: dict[str, Any]) -> None:
            record["properties"] = {**(record.get("properties") or {}), **properties}

        await self._change(name, change)

    async def clear_properties(self, name: NamespaceName) -> None:
        """Forget all properties."""
        await self._change(name, lambda record: record.update(properties={}))

    async def remove_property(self, name: NamespaceName, key: str) -> str | None:
        """Forget a property; what it was."""
        was = (await self.properties(name)).get(key)

        def change(record: dict[str, Any]) -> None:
            kept = dict(record.get("properties") or {})
            kept.pop(key, None)
            record["properties"] = kept

        if was is not None:
            await self._change(name, change)
        return was

    # Permissions.

    async def permissions(self, name: NamespaceName) -> dict[str, list[str]]:
        """What each role may do in the whole namespace."""
        return _auth(await self._policies(name))["namespace_auth"]  # type: ignore[no-any-return]

    async def grant(self, name: NamespaceName, role: str, actions: Any) -> None:
        """Let a role do just this in the whole namespace."""
        granted = actions_of(actions)
        try:
            await self._change_auth(
                name, lambda auth: auth["namespace_auth"].update({role: granted})
            )
        except AbsentError as error:
            raise AbsentError("Topic's namespace does not exist") from error

    async def revoke(self, name: NamespaceName, role: str) -> None:
        """Let a role do nothing any more by permission of the namespace."""
        await self._change_auth(name, lambda auth: auth["namespace_auth"].pop(role, None))

    async def topic_permissions(self, topic: TopicName) -> dict[str, list[str]]:
        """What each role may do with a topic, by its own permission or the namespace's."""
        auth = _auth(await self._policies(topic.namespace))
        allowed = {role: list(actions) for role, actions in auth["namespace_auth"].items()}
        for name in dict.fromkeys((str(topic.parent), str(topic))):
            for role, actions in (auth["destination_auth"].get(name) or {}).items():
                allowed[role] = sorted({*allowed.get(role, []), *actions})
        return allowed

    async def grant_on_topic(self, topic: TopicName, role: str, actions: Any) -> None:
        """Let a role do just this with a topic."""
        granted = actions_of(actions)

        def change(auth: dict[str, Any]) -> None:
            auth["destination_auth"].setdefault(str(topic), {})[role] = granted

        await self._change_auth(topic.namespace, change)

    async def revoke_on_topic(self, topic: TopicName, role: str) -> None:
        """Let a role do nothing any more by permission for the topic."""

        def change(auth: dict[str, Any]) -> None:
            of_topic = auth["destination_auth"].get(str(topic), {})
            of_topic.pop(role, None)
            if not of_topic:
                auth["destination_auth"].pop(str(topic), None)

        await self._change_auth(topic.namespace, change)

    async def subscription_permissions(self, name: NamespaceName) -> dict[str, list[str]]:
        """Which roles alone may use a subscription, by its name."""
        auth = _auth(await self._policies(name))
        return auth["subscription_auth_roles"]  # type: ignore[no-any-return]

    async def grant_subscription(self, name: NamespaceName, subscription: str, roles: Any) -> None:
        """Let these roles alone use a subscription."""
        if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
            raise MalformedRequestError("The body is a list of roles")
        chosen = sorted(set(roles))
        await self._change_auth(
            name, lambda auth: auth["subscription_auth_roles"].update({subscription: chosen})
        )

    async def revoke_subscription(self, name: NamespaceName, subscription: str, role: str) -> None:
        """Take the permission for a subscription from a role."""

        def change(auth: dict[str, Any]) -> None:
            of_all = auth["subscription_auth_roles"]
            if subscription not in of_all:
                raise AbsentError(f"There are no permissions for subscription {subscription}")
            of_all[subscription] = [each for each in of_all[subscription] if each != role]
            if not of_all[subscription]:
                del of_all[subscription]

        await self._change_auth(name, change)

    async def _change_auth(
        self, name: NamespaceName, change: Callable[[dict[str, Any]], object]
    ) -> None:
        def change_record(record: dict[str, Any]) -> None:
            auth = _auth(record)
            change(auth)
            record["auth_policies"] = auth

        await self._change(name, change_record)

    # Its end.

    async def delete(self, name: NamespaceName, *, force: bool) -> None:
        """Forget a namespace that has no topic, or with `force` its topics too.

        It is marked first, so that nobody makes a topic in it meanwhile; of what failed the mark is
        taken away.
        """
        found = await self._records.namespaces.read(str(name))
        if found is None:
            raise AbsentError(f"Namespace {name} does not exist.")
        if force and not self._service.config.force_delete_namespaces:
            raise UnsupportedError("Broker doesn't allow forced deletion of namespaces")
        if not force and await self._topics(name):
            raise ConflictError("Cannot delete non empty namespace")
        await self._mark(name, deleted=True)
        try:
            await self._delete_topics(name, force=force)
        except BaseException:
            await self._mark(name, deleted=False)
            raise
        await self._forget(name)

    async def _mark(self, name: NamespaceName, *, deleted: bool) -> None:
        found = await self._records.namespaces.read(str(name))
        if found is None:
            raise AbsentError(f"Namespace {name} does not exist.")
        policies: Policies = replace(found[0], deleted=deleted)
        try:
            await self._records.namespaces.write(str(name), policies, found[1])
        except (BadVersionError, NoNodeError) as error:
            raise ConflictError(f"Namespace {name} is changed by somebody else") from error

    async def _topics(self, name: NamespaceName) -> Sequence[TopicName]:
        catalog = self._service.catalog
        partitioned = [
            topic
            for domain in (PERSISTENT, NON_PERSISTENT)
            for topic in await catalog.partitioned_topics(name, domain)
        ]
        topics = [*await catalog.topics(name), *catalog.non_persistent_topics(name)]
        return [*partitioned, *(each for each in topics if each.parent not in partitioned)]

    async def _delete_topics(self, name: NamespaceName, *, force: bool) -> None:
        for _ in range(_TRIES):
            # Scenario: a topic was let in before the mark, and is there only now.
            await self._service.topics.loads_end(lambda topic: topic.namespace == name)
            topics = await self._topics(name)
            if not topics:
                return
            if not force:
                break
            await self._delete_each(topics)
        raise ConflictError("Cannot delete non empty namespace")

    async def _delete_each(self, topics: Sequence[TopicName]) -> None:
        admin, catalog = self._service.admin, self._service.catalog
        for topic in topics:
            if await catalog.partitions(topic):
                await admin.delete_partitioned(topic, force=True)
            elif admin.elsewhere is not None:
                await admin.elsewhere.delete(topic, force=True)
            else:
                await admin.delete(topic, force=True)

    async def _forget(self, name: NamespaceName) -> None:
        cluster, elsewhere = self._service.cluster, self._service.admin.elsewhere
        if cluster is not None and elsewhere is not None:
            for bundle in await cluster.ownership.owned_by_anybody(str(name)):
                await elsewhere.unload_bundle(bundle)
        for records in (self._records.local_policies, self._records.namespaces):
            try:
                await records.delete(str(name))
            except NoNodeError:
                continue  # it went meanwhile, or never was


def actions_of(actions: Any) -> list[str]:
    """What a role is to be allowed.

    Raises:
        MalformedRequestError: it is no list of actions.
    """
    if not isinstance(actions, list):
        raise MalformedRequestError("Actions should not be null")
    unknown = [action for action in actions if action not in ACTIONS]
    if unknown:
        raise MalformedRequestError(f"Unknown actions {unknown}: expected some of {list(ACTIONS)}")
    return sorted(set(actions))


def _auth(record: Mapping[str, Any]) -> dict[str, Any]:
    """The permissions in policies, with all their parts."""
    auth = record.get("auth_policies") or {}
    parts = ("namespace_auth", "destination_auth", "subscription_auth_roles")
    return {**auth, **{part: dict(auth.get(part) or {}) for part in parts}}
