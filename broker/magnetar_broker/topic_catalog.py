"""Which topics there are, and which may be made: what metadata and configuration say."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from magnetar_ledger.position import EARLIEST
from magnetar_metadata.managed_ledger_info import (
    INLINE_CURSOR_LEDGER_ID,
    CursorInfo,
    ManagedLedgerInfo,
    ManagedLedgerRegistry,
)
from magnetar_metadata.store import BadVersionError, NodeExistsError, NoNodeError
from magnetar_metadata.topic_paths import decode_name
from magnetar_metadata.topic_records import PartitionedTopic, partitioned_topic_name

from magnetar_broker.errors import (
    InvalidTopicNameError,
    NoSuchPartitionError,
    NotAllowedError,
    TopicConflictError,
    TopicExistsError,
    TopicNotFoundError,
)
from magnetar_broker.topic_name import PERSISTENT, NamespaceName, TopicName
from magnetar_broker.topic_room import TopicRoom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from magnetar_metadata.store import MetadataStore
    from magnetar_metadata.topic_records import TopicRecords

    from magnetar_broker.config import BrokerConfig
    from magnetar_broker.namespaces import Namespaces
    from magnetar_broker.topic import Topic


class TopicCatalog:
    """A topic exists if its managed ledger does, or if it is known as partitioned.

    Attributes:
        room: How many more topics there may be.
        registry: What metadata has of their ledgers.
        growing: Partitioned topics that are getting more partitions, and how many.
    """

    def __init__(
        self,
        store: MetadataStore,
        records: TopicRecords,
        namespaces: Namespaces,
        config: BrokerConfig,
        loaded: Mapping[str, Topic],
    ) -> None:
        """Make the view of all topics; non-persistent ones exist while they are `loaded`."""
        self.registry = ManagedLedgerRegistry(store)
        self._records = records
        self._namespaces = namespaces
        self._config = config
        self._loaded = loaded
        self.room = TopicRoom(self.registry)
        self.growing: dict[TopicName, int] = {}

    async def exists(self, name: TopicName) -> bool:
        """Whether there is this very topic; partitioned topics have no messages themselves."""
        if not name.persistent:
            return str(name) in self._loaded
        return await self.registry.read(name.ledger_name) is not None

    async def topics(self, namespace: NamespaceName) -> list[TopicName]:
        """All topics with a ledger, partitions one by one, without those of the system."""
        names = []
        for ledger_name in await self.registry.names(namespace.tenant, namespace.name):
            local = decode_name(ledger_name.rpartition("/")[2])
            name = TopicName(PERSISTENT, namespace.tenant, namespace.name, local)
            if not name.is_system:
                names.append(name)
        return names

    def non_persistent_topics(self, namespace: NamespaceName) -> list[TopicName]:
        """All non-persistent topics that are in use."""
        names = (topic.name for topic in self._loaded.values())
        return sorted(
            (name for name in names if not name.persistent and name.namespace == namespace),
            key=str,
        )

    def watch(self, namespace: NamespaceName, hint: Callable[[], None]) -> Callable[[], None]:
        """Call `hint` when `topics` may give something else. Returns what ends that."""
        return self.registry.watch_names(namespace.tenant, namespace.name, hint)

    async def partitioned(self, name: TopicName) -> PartitionedTopic | None:
        """What is known of a partitioned topic; None if it is none."""
        found = await self._records.partitioned_topics.read(record_name(name))
        return None if found is None else found[0]

    async def partitions(self, name: TopicName) -> int:
        """How many partitions a topic has; 0 if it is none of the partitioned ones."""
        record = await self.partitioned(name)
        return 0 if record is None else record.partitions

    async def partitioned_topics(
        self, namespace: NamespaceName, domain: str = PERSISTENT
    ) -> list[TopicName]:
        """The partitioned topics of a namespace, without their partitions."""
        tenant, local_namespace = namespace.tenant, namespace.name
        names = await self._records.partitioned_topic_names(tenant, local_namespace, domain)
        return [TopicName(domain, tenant, local_namespace, local) for local in names]

    async def partitions_for_client(self, name: TopicName, *, may_create: bool) -> int:
        """How many partitions a client has to use: 0 for the topic itself.

        If clients may create topics and those are partitioned, this creates one.

        Raises:
            TopicNotFoundError: neither it nor its namespace is there, or it may not be made.
        """
        count = await self.partitions(name)
        if count or await self.exists(name):
            return count
        creation = await self._namespaces.topic_creation(name.namespace)
        if await self._check_partition(name):
            return 0
        if not (may_create and (creation.allowed or name.is_system)):
            raise TopicNotFoundError("")
        if not creation.partitions or name.is_partition or name.is_system:
            return 0
        return await self._create_partitions(name, creation.partitions)

    async def _create_partitions(self, name: TopicName, count: int) -> int:
        try:
            await self.create_partitioned(name, count)
        except TopicExistsError:
            return await self.partitions(name)  # another client was quicker
        return count

    async def _check_partition(self, name: TopicName) -> bool:
        """Whether this is a partition of a partitioned topic; raises if it may not be made."""
        if not name.is_partition:
            return False
        record = await self.partitioned(name.parent)
        if record is not None and record.deleted:
            raise TopicNotFoundError(f"Topic {name.parent} is being deleted with its partitions")
        count = 0 if record is None else record.partitions
        count = max(count, self.growing.get(name.parent, 0)) if count else 0
        if count and name.partition_index >= count:
            raise NoSuchPartitionError(
                f"Topic {name.parent} has only {count} partitions: there is no {name}"
            )
        return count > 0

    async def admit(self, name: TopicName, *, create: bool, by_admin: bool = False) -> None:
        """Let a client have a topic loaded, or made if `create`.

        Raises:
            TopicNotFoundError: neither it nor its namespace is there, or it may not be made.
            NotAllowedError: the name is that of a partitioned topic, which has no messages of its
                own, or the domain is not served.
        """
        config = self._config
        if not (config.persistent_topics if name.persistent else config.non_persistent_topics):
            raise NotAllowedError(f"This broker serves no {name.domain} topics, as {name} is one")
        if await self.exists(name):
            return
        creation = await self._namespaces.topic_creation(name.namespace)
        if await self.partitions(name):
            raise NotAllowedError(
                f"Topic {name} is partitioned: use its partitions {name.partition(0)} and so on"
            )
        if await self._check_partition(name):
            return
        if not (create and (by_admin or creation.allowed or name.is_system)):
            raise TopicNotFoundError(f"Topic {name} does not exist and may not be created")
        await self.room.take(name.namespace, (name,), creation.most)

    async def take_room(self, namespace: NamespaceName, new: Sequence[TopicName]) -> None:
        """Let topics be made, as `TopicRoom.take`, by what holds for the namespace."""
        creation = await self._namespaces.topic_creation(namespace)
        await self.room.take(namespace, new, creation.most)

    async def make_bare(self, name: TopicName, subscriptions: Iterable[str] = ()) -> None:
        """Make what metadata has of a persistent topic, for whichever broker opens it.

        Args:
            subscriptions: durable ones, that begin with the first message.
        """
        with suppress(NodeExistsError):
            await self.registry.create(name.ledger_name, ManagedLedgerInfo())
        for subscription in subscriptions:
            cursor = CursorInfo(INLINE_CURSOR_LEDGER_ID, EARLIEST)
            with suppress(NodeExistsError):
                await self.registry.create_cursor(name.ledger_name, subscription, cursor)

    async def create_partitioned(
        self, name: TopicName, count: int, properties: Mapping[str, str] | None = None
    ) -> None:
        """Make a topic a partitioned one.

        Raises:
            TopicExistsError: there is a topic of this name, partitioned or not.
            InvalidTopicNameError: it is the name of a partition.
            NotAllowedError: `count` is not between 1 and the maximum.
            TooManyTopicsError: the namespace has no room for so many.
        """
        check_parent(name)
        most = self._config.limits.max_partitions_per_topic
        if count <= 0 or (most and count > most):
            bound = f"between 1 and {most}" if most else "more than 0"
            raise NotAllowedError(f"Number of partitions should be {bound}, not {count}")
        creation = await self._namespaces.topic_creation(name.namespace)
        if await self.exists(name):
            raise TopicExistsError("This topic already exists")
        partitions = [name.partition(index) for index in range(count)]
        await self.room.take(name.namespace, partitions, creation.most)
        try:
            record = PartitionedTopic(count, properties=dict(properties or {}))
            await self._records.partitioned_topics.create(record_name(name), record)
        except NodeExistsError as error:
            raise TopicExistsError("This topic already exists") from error
        finally:
            self.room.settle(partitions)

    async def mark_deleted(self, name: TopicName, *, deleted: bool) -> bool:
        """Let no partition of a topic be made any more, or let them again.

        Returns:
            Whether that was not so before.

        Raises:
            TopicNotFoundError: it is no partitioned topic.
            TopicConflictError: somebody else changes it too.
        """
        found = await self._records.partitioned_topics.read(record_name(name))
        if found is None:
            raise TopicNotFoundError(f"Topic {name} not found.")
        record, version = found
        if record.deleted == deleted:
            return False
        record = replace(record, deleted=deleted)
        try:
            await self._records.partitioned_topics.write(record_name(name), record, version)
        except (NoNodeError, BadVersionError) as error:
            raise TopicConflictError(f"Topic {name} was changed by somebody else") from error
        return True

    async def change_properties(self, name: TopicName, changes: Mapping[str, str | None]) -> None:
        """Change some properties of a partitioned topic; None forgets one.

        Raises:
            TopicNotFoundError: it is no partitioned topic.
            TopicConflictError: somebody else changes it too.
        """
        found = await self._records.partitioned_topics.read(record_name(name))
        if found is None:
            raise TopicNotFoundError(f"Topic {name} not found")
        record, version = found
        changed = {**record.properties, **changes}
        kept = {key: value for key, value in changed.items() if value is not None}
        record = replace(record, properties=kept)
        try:
            await self._records.partitioned_topics.write(record_name(name), record, version)
        except (NoNodeError, BadVersionError) as error:
            raise TopicConflictError(f"Topic {name} was changed by somebody else") from error

    async def delete_partitioned(self, name: TopicName) -> None:
        """Forget that a topic is partitioned; its partitions are deleted by the caller."""
        try:
            await self._records.partitioned_topics.delete(record_name(name))
        except NoNodeError as error:
            raise TopicNotFoundError(f"Partitioned topic {name} not found") from error


def check_parent(name: TopicName) -> None:
    """Raise if a topic cannot be partitioned, as it is a partition.

    Raises:
        InvalidTopicNameError
    """
    if name.is_partition:
        raise InvalidTopicNameError("Partitioned Topic Name should not contain '-partition-'")


def record_name(name: TopicName) -> str:
    """Under which a partitioned topic stands in metadata."""
    return partitioned_topic_name(name.tenant, name.namespace_name, name.domain, name.local_name)
