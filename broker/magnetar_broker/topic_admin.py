"""What administrators do to topics, whether those are partitioned or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from magnetar_ledger.position import EARLIEST, LATEST

from magnetar_broker.cursor_reset import Place, seek_place
from magnetar_broker.errors import (
    NotAllowedError,
    SubscriptionNotFoundError,
    TopicBusyError,
    TopicConflictError,
    TopicNotFoundError,
)
from magnetar_broker.partition_growth import PartitionGrowth
from magnetar_broker.seek import seek, seek_time
from magnetar_broker.subscribe import SubscriptionOptions, open_subscription
from magnetar_broker.volatile import VolatileLedger

if TYPE_CHECKING:
    from magnetar_ledger.position import Position
    from magnetar_metadata.namespace_bundles import Bundle
    from magnetar_metadata.topic_records import TopicRecords

    from magnetar_broker.service import BrokerService
    from magnetar_broker.subscription import Subscription
    from magnetar_broker.topic import Topic
    from magnetar_broker.topic_name import TopicName


class PartitionCalls(Protocol):
    """The same for one topic, whichever broker serves it: see `http.partition_calls`."""

    async def delete(self, name: TopicName, *, force: bool) -> None: ...
    async def in_use(self, name: TopicName) -> bool: ...
    async def stats(self, name: TopicName, *, internal: bool = False) -> dict[str, Any]: ...
    async def unload(self, name: TopicName) -> None: ...
    async def terminate(self, name: TopicName) -> Position: ...
    async def truncate(self, name: TopicName) -> None: ...
    async def subscriptions(self, name: TopicName) -> list[str]: ...
    async def create_subscription(
        self, name: TopicName, subscription: str, start: Position
    ) -> bool: ...
    async def delete_subscription(
        self, name: TopicName, subscription: str, *, force: bool
    ) -> None: ...
    async def reset_to_time(self, name: TopicName, subscription: str, time_ms: int) -> None: ...
    async def unload_bundle(self, bundle: Bundle) -> None: ...
    async def call(self, method: str, name: TopicName, path: str, body: Any = None) -> Any: ...
    async def split_bundle(self, bundle: Bundle, *, unload: bool) -> None: ...


class TopicAdmin:
    """Errors of all calls: BrokerError, LedgerError, MetadataError.

    Attributes:
        elsewhere: For partitions, which other brokers may serve; None if this one is alone.
    """

    def __init__(self, service: BrokerService, records: TopicRecords) -> None:
        self._service = service
        self._catalog = service.catalog
        self._topics = service.topics
        self.elsewhere: PartitionCalls | None = None
        most = service.config.limits.max_partitions_per_topic
        self._growth = PartitionGrowth(records, service.catalog, most)

    # Existence.

    async def create(self, name: TopicName) -> Topic:
        """Make a topic, whether clients may or not."""
        return await self._topics.get(name, create=True, by_admin=True)

    async def create_partitioned(
        self, name: TopicName, count: int, properties: Mapping[str, str] | None = None
    ) -> None:
        """Make a partitioned topic and its partitions."""
        await self._catalog.create_partitioned(name, count, properties)
        await self.create_missed_partitions(name)

    async def create_missed_partitions(self, name: TopicName) -> None:
        """Make those partitions that are not there.

        Partitions of non-persistent topics begin with their first client.
        """
        for partition in await self._partitions_of(name):
            if not partition.persistent:
                continue
            if self.elsewhere is not None:
                await self._catalog.make_bare(partition)
            else:
                await self._topics.get(partition, create=True)

    async def update_partitions(self, name: TopicName, count: int) -> None:
        """Give a partitioned topic more partitions, which get the subscriptions of the first."""
        first = name.partition(0)
        names: list[str] = []
        elsewhere = self.elsewhere
        if name.persistent and await self._catalog.exists(first):
            if elsewhere is not None:
                names = await elsewhere.subscriptions(first)
            else:
                topic = await self._topics.get(first, create=False)
                names = [each.name for each in topic.subscriptions.values() if each.durable]

        async def make(partition: TopicName) -> None:
            if not partition.persistent:
                return
            if elsewhere is not None:
                await self._catalog.make_bare(partition, names)
                return
            topic = await self._topics.get(partition, create=True, by_admin=True)
            for subscription in names:
                options = SubscriptionOptions(subscription, earliest=True)
                await open_subscription(topic, options, topic.consume_context)

        await self._growth.grow(name, count, make)

    async def delete(self, name: TopicName, *, force: bool) -> None:
        """Delete a topic that is not partitioned."""
        if await self._catalog.partitions(name):
            raise TopicConflictError(
                f"{name} is a partitioned topic, instead of calling delete topic, please call "
                "delete-partitioned-topic."
            )
        if not await self._catalog.exists(name):
            raise TopicNotFoundError(f"Topic {name} not found")
        await self._topics.delete(name, force=force)

    async def delete_partitioned(self, name: TopicName, *, force: bool) -> None:
        """Delete a partitioned topic with its partitions.

        The record is marked first and goes last. Scenario: a producer looks its partition up as
        soon as that is deleted, and would make it anew. Of what failed the mark is taken away.
        """
        marked = await self._catalog.mark_deleted(name, deleted=True)
        try:
            await self._delete_partitions(name, force=force)
        except BaseException:
            if marked:
                await self._catalog.mark_deleted(name, deleted=False)
            raise
        # Before and behind it, as with other topics: see Topic.delete.
        await self._service.policy_store.forget_topic(name)
        await self._catalog.delete_partitioned(name)
        await self._service.policy_store.forget_topic(name)

    async def _delete_partitions(self, name: TopicName, *, force: bool) -> None:
        partitions = await self._partitions_of(name)
        existing = [each for each in partitions if await self._catalog.exists(each)]
        if not force and any([await self._in_use(each) for each in existing]):
            raise TopicBusyError(f"Topic {name} has connected producers/consumers")
        for partition in existing:
            if self.elsewhere is not None:
                await self.elsewhere.delete(partition, force=force)
            else:
                await self._topics.delete(partition, force=force)

    async def _in_use(self, name: TopicName) -> bool:
        if self.elsewhere is not None:
            return await self.elsewhere.in_use(name)
        return self._topics.in_use(name)

    # Whereabouts and end.

    async def unload(self, name: TopicName) -> None:
        """Close a topic or its partitions here; clients look them up again."""
        for each in await self._existing(name):
            if self._of_others(name, each):
                await self._others.unload(each)
                continue
            topic = self._topics.loaded.get(str(each))
            if topic is not None:
                await self._topics.unload(topic)

    async def terminate(self, name: TopicName) -> Position:
        """Let a topic take no message any more; the id of the last one."""
        if await self._catalog.partitions(name):
            raise NotAllowedError("Termination of a partitioned topic is not allowed")
        return await (await self.loaded(name)).terminate()

    async def terminate_partitions(self, name: TopicName) -> list[Position]:
        """Terminate the partitions of a topic; the ids of their last messages."""
        partitions = await self._partitions_of(name)
        if not partitions:
            raise NotAllowedError(
                "Termination of a non-partitioned topic is not allowed using "
                "partitioned-terminate, please use terminate commands"
            )
        if self.elsewhere is not None:
            return [await self.elsewhere.terminate(each) for each in partitions]
        return [await (await self.loaded(each)).terminate() for each in partitions]

    async def truncate(self, name: TopicName) -> None:
        """Let all subscriptions of a topic, or of its partitions, be done with what was published,
        and delete it; of a ledger that is being written the entries stay until it ends."""
        await self._service.namespaces.policies(name.namespace)
        for each in await self._existing(name):
            if self._of_others(name, each):
                await self._others.truncate(each)
                continue
            topic = await self.loaded(each)
            for subscription in list(topic.subscriptions.values()):
                subscription.clear_backlog()
            if not isinstance(topic.ledger, VolatileLedger):
                await topic.ledger.truncate()

    # Subscriptions.

    async def subscriptions(self, name: TopicName) -> list[str]:
        """The names of a topic's subscriptions; of those of its partitions if it has some."""
        names: dict[str, None] = {}
        for each in await self._existing(name):
            if self._of_others(name, each):
                names.update(dict.fromkeys(await self._others.subscriptions(each)))
            else:
                names.update(dict.fromkeys((await self.loaded(each)).subscriptions))
        return list(names)

    async def create_subscription(
        self, name: TopicName, subscription: str, *, earliest: bool, start: Position | None
    ) -> None:
        """Make a durable subscription of a topic or of all its partitions.

        Args:
            earliest: it begins with the first message that is there, else behind the last.
            start: with this message instead.
        """
        made = 0
        for each in await self._partitions_of(name) or [name]:
            if self._of_others(name, each):
                place = start or (EARLIEST if earliest else LATEST)
                made += await self._others.create_subscription(each, subscription, place)
                continue
            topic = await self._topics.get(each, create=True)
            if subscription in topic.subscriptions:
                continue
            options = SubscriptionOptions(subscription, earliest=earliest)
            opened = await open_subscription(topic, options, topic.consume_context)
            if start is not None:
                await seek(opened, start)
            made += 1
        if not made:
            raise TopicConflictError("Subscription already exists for topic")

    async def delete_subscription(self, name: TopicName, subscription: str, *, force: bool) -> None:
        """Delete a subscription of a topic, or of all its partitions."""
        if self.elsewhere is not None and await self._catalog.partitions(name):
            await self._delete_of_partitions(name, subscription, force=force)
            return
        found = [
            topic.subscriptions[subscription]
            for topic in [await self.loaded(each) for each in await self._existing(name)]
            if subscription in topic.subscriptions
        ]
        if not found:
            raise SubscriptionNotFoundError(
                f"Subscription {subscription} not found for topic {name}"
            )
        if not force and any(each.consumers for each in found):
            raise TopicBusyError("Subscription has active connected consumers")
        for each in found:
            await each.delete()

    async def reset_to_time(self, name: TopicName, subscription: str, time_ms: int) -> None:
        """Have a subscription of a topic, or of all its partitions, go on where it was then.

        It goes on with the first message that was published at this time or later.
        """
        names = await self._partitions_of(name) or [name]
        if self.elsewhere is not None and name not in names:
            await self._check_subscriptions(names, subscription)
            for partition in names:
                await self.elsewhere.reset_to_time(partition, subscription, time_ms)
            return
        for each in [await self._subscription(each, subscription) for each in names]:
            await seek_time(each, time_ms)

    async def reset_to_place(self, name: TopicName, subscription: str, place: Place) -> None:
        """Have a subscription of a topic that is not partitioned go on at a message."""
        if await self._catalog.partitions(name):
            raise NotAllowedError("Reset-cursor at position is not allowed for partitioned-topic")
        if not name.persistent:
            raise NotAllowedError(f"{name} is not persistent: there is one position only")
        await seek_place(await self._subscription(name, subscription), place)

    async def _subscription(self, name: TopicName, subscription: str) -> Subscription:
        found = (await self.loaded(name)).subscriptions.get(subscription)
        if found is None:
            raise SubscriptionNotFoundError(
                f"Subscription {subscription} not found for topic {name}"
            )
        return found

    async def _delete_of_partitions(
        self, name: TopicName, subscription: str, *, force: bool
    ) -> None:
        others, existing = self._others, await self._existing(name)
        found = [each for each in existing if subscription in await others.subscriptions(each)]
        if not found:
            raise SubscriptionNotFoundError(
                f"Subscription {subscription} not found for topic {name}"
            )
        for each in found:
            await others.delete_subscription(each, subscription, force=force)

    async def _check_subscriptions(self, names: Sequence[TopicName], subscription: str) -> None:
        for each in names:
            if subscription not in await self._others.subscriptions(each):
                raise SubscriptionNotFoundError(
                    f"Subscription {subscription} not found for topic {each}"
                )

    # Names.

    def _of_others(self, asked: TopicName, name: TopicName) -> bool:
        """Whether this is a partition of what was asked for, that another broker may serve."""
        return self.elsewhere is not None and name != asked

    @property
    def _others(self) -> PartitionCalls:
        assert self.elsewhere is not None
        return self.elsewhere

    async def _partitions_of(self, name: TopicName) -> list[TopicName]:
        count = await self._catalog.partitions(name)
        return [name.partition(index) for index in range(count)]

    async def _existing(self, name: TopicName) -> Sequence[TopicName]:
        """The topic, or those of its partitions that are there."""
        partitions = await self._partitions_of(name)
        if partitions:
            return [each for each in partitions if await self._catalog.exists(each)]
        if not await self._catalog.exists(name):
            raise TopicNotFoundError(f"Topic {name} not found")
        return [name]

    async def loaded(self, name: TopicName) -> Topic:
        """A topic that this broker serves. Raises TopicNotFoundError."""
        if not await self._catalog.exists(name):
            raise TopicNotFoundError(f"Topic {name} not found")
        return await self._topics.get(name, create=False)
