"""The topics that are loaded in this broker: loading once, closing, deleting."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from magnetar_runtime.bugs import report_bug
from magnetar_runtime.scope import TaskScope

from magnetar_broker.dedup_keeper import DedupKeeper
from magnetar_broker.errors import (
    OUTSIDE_ERRORS,
    ServiceNotReadyError,
    TooManyRequestsError,
    TopicBusyError,
    TopicNotFoundError,
)
from magnetar_broker.subscribe import DEDUP_CURSOR
from magnetar_broker.subscription import Subscription
from magnetar_broker.topic import Topic
from magnetar_broker.topic_name import TopicName
from magnetar_broker.volatile import VolatileLedger

if TYPE_CHECKING:
    from magnetar_ledger.errors import LedgerError
    from magnetar_ledger.managed.managed_ledger import ManagedLedger

    from magnetar_broker.policies.values import TopicPolicies
    from magnetar_broker.service import BrokerService, LedgerFactory

log = logging.getLogger(__name__)

_CLOSED_AT_ONCE: Final = 64
"""How many topics close side by side when the broker stops."""


class Topics:
    """Each topic is loaded by the first who asks, and all who ask meanwhile wait for that.

    Attributes:
        loaded: By full name.
    """

    def __init__(self, service: BrokerService, open_ledger: LedgerFactory) -> None:
        self.loaded: dict[str, Topic] = {}
        self._service = service
        self._open_ledger = open_ledger
        self._loading: dict[str, asyncio.Future[Topic]] = {}
        self._ending: dict[str, asyncio.Future[None]] = {}
        self._undeleted: dict[str, TopicName] = {}
        self._stopped = False
        self._losses = 0

    async def get(self, name: TopicName, *, create: bool, by_admin: bool = False) -> Topic:
        """The topic, loaded now if it was not.

        Args:
            create: make it if it does not exist and clients may make topics.
            by_admin: with `create`, make it whether clients may or not.

        Raises:
            BrokerError: it is not there and may not be made, or does not open now.
        """
        topic = self.loaded.get(str(name))
        if topic is not None and not topic.closing:
            return topic
        timeout_ms = self._service.config.limits.topic_load_timeout_ms
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                return await self._load_once(name, create=create, by_admin=by_admin)
        except TimeoutError as error:
            raise ServiceNotReadyError(
                f"Topic {name} did not open within {timeout_ms} ms; retry later"
            ) from error

    async def _load_once(self, name: TopicName, *, create: bool, by_admin: bool) -> Topic:
        key = str(name)
        self._check_running()
        await self._service.ownership.check(name)
        await self._end_of(key)
        await self._service.catalog.admit(name, create=create, by_admin=by_admin)
        try:
            await self._end_of(key)  # it may have begun while the catalog was asked
            if key in self.loaded:
                return self.loaded[key]
            self._check_running()
            loading = self._loading.get(key)
            if loading is None:
                loading = self._begin_loading(name)
        finally:
            if key not in self._loading:
                self._service.catalog.room.settle((name,))
        return await asyncio.shield(loading)

    async def _end_of(self, key: str) -> None:
        while (ending := self._ending.get(key)) is not None:
            await asyncio.shield(ending)

    def _check_running(self) -> None:
        if self._stopped:
            raise ServiceNotReadyError("The broker is stopping; look the topic up again")

    def _begin_loading(self, name: TopicName) -> asyncio.Future[Topic]:
        limit = self._service.config.limits.max_concurrent_topic_loads
        if len(self._loading) >= limit:
            raise TooManyRequestsError(f"{limit} topics are being loaded; retry later")
        loading: asyncio.Future[Topic] = self._service.loop.create_future()
        # All who wait may have given up by the time it fails.
        loading.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._loading[str(name)] = loading
        self._service.scope.spawn(self._load(name, loading), name=f"load {name}")
        return loading

    async def _load(self, name: TopicName, loading: asyncio.Future[Topic]) -> None:
        key = str(name)
        try:
            topic = await self._open_owned(name)
        except OUTSIDE_ERRORS as error:
            log.warning("topic %s does not open: %s", name, error)
            loading.set_exception(error)
        except Exception as error:  # noqa: BLE001 - it must not end the broker for all others
            report_bug(f"topic {name} does not open", error)
            loading.set_exception(error)
        else:
            self.loaded[key] = topic
            loading.set_result(topic)
            topic.apply(self._service.live_policies.known(name))  # what changed meanwhile
        finally:
            del self._loading[key]
            self._service.catalog.room.settle((name,))
            loading.cancel()  # does nothing unless the load itself was cancelled

    async def _open_owned(self, name: TopicName) -> Topic:
        serves, losses = self._service.ownership.serves, self._losses
        topic = await self._open(name) if serves(name) else None
        if topic is not None and not topic.closing and losses == self._losses and serves(name):
            return topic
        # Its bundle went meanwhile. Were it served, another broker would have it too.
        if topic is not None:
            self._service.live_policies.leave(name)
            await topic.close()
        raise ServiceNotReadyError(f"Topic {name} went to another broker; look it up again")

    async def _open(self, name: TopicName) -> Topic:
        live = self._service.live_policies
        policies = await live.follow(name)
        try:
            return await self._open_with(name, policies)
        except BaseException:
            live.leave(name)
            raise

    async def _open_with(self, name: TopicName, policies: TopicPolicies) -> Topic:
        if not name.persistent:
            ledger_id = self._service.clock.wall_ms()
            return Topic(name, VolatileLedger(ledger_id), self._service, policies)
        ledger = await self._open_ledger(name.ledger_name, create=True, policies=policies.ledger)
        try:
            return await self._topic_on(name, ledger, policies)
        except BaseException:
            await ledger.close()
            raise

    async def _topic_on(
        self, name: TopicName, ledger: ManagedLedger, policies: TopicPolicies
    ) -> Topic:
        topic = Topic(name, ledger, self._service, policies)
        if policies.deduplication and not name.is_system:
            topic.dedup_keeper = await DedupKeeper.open(topic, ledger)
        elif DEDUP_CURSOR in ledger.cursors:
            # It would hold back what is to be trimmed, and tell of a past with a gap later.
            await ledger.delete_cursor(DEDUP_CURSOR)
        for cursor in ledger.cursors.values():
            if cursor.name == DEDUP_CURSOR:
                continue
            subscription = Subscription(topic, cursor.name, cursor, topic.consume_context)
            topic.subscriptions[cursor.name] = subscription
        return topic

    @property
    def loading_count(self) -> int:
        """Topics that are being loaded."""
        return len(self._loading)

    def in_use(self, name: TopicName) -> bool:
        """Whether a topic is loaded and has producers or consumers."""
        topic = self.loaded.get(str(name))
        return topic is not None and topic.connected > 0

    # Ends.

    async def unload(self, topic: Topic) -> None:
        """Close a topic; its clients look it up again, which may load it again."""
        await self._end(topic, topic.close)

    def unload_soon(self, topic: Topic) -> None:
        """The same, beside what goes on; its clients come again."""
        self._service.scope.spawn(self._forget(topic), name=f"unload {topic.name}")

    async def delete(self, name: TopicName, *, force: bool = False) -> None:
        """Delete a topic with its messages and subscriptions.

        Raises:
            TopicNotFoundError: there is none.
            TopicBusyError: it has producers or consumers, and `force` is false.
        """
        topic = await self.get(name, create=False)
        if not force and topic.connected:
            raise TopicBusyError(f"Topic has {topic.connected} connected producers/consumers")
        await self._delete(topic)

    async def _delete(self, topic: Topic) -> None:
        try:
            await self._end(topic, topic.delete)
        except OUTSIDE_ERRORS:
            # Scenario: metadata is away. The topic is there yet, and nobody would look at it again
            # if nobody uses it.
            self._undeleted[str(topic.name)] = topic.name
            raise

    def forget(self, topic: Topic) -> None:
        """A topic belongs to another broker: close it, beside what goes on.

        Scenario: the broker's work was ended without closing its topics, and a cursor that is still
        being written finds the next owner. There is nobody left who could wait for the close.
        """
        if self._service.scope.closed:
            return
        self._service.scope.spawn(self._forget(topic), name=f"forget {topic.name}")

    async def _forget(self, topic: Topic) -> None:
        try:
            await self.unload(topic)
        except OUTSIDE_ERRORS as error:
            log.warning("topic %s did not close well: %s", topic.name, error)
        except Exception as error:  # noqa: BLE001 - it must not end the broker for all others
            report_bug(f"topic {topic.name} did not close well", error)

    async def _end(self, topic: Topic, work: Callable[[], Awaitable[None]]) -> None:
        key = str(topic.name)
        topic.closing = True
        if key in self._ending:
            await self._end_of(key)
            return
        ended: asyncio.Future[None] = self._service.loop.create_future()
        self._ending[key] = ended
        try:
            await work()
        finally:
            if self.loaded.get(key) is topic:
                del self.loaded[key]
                self._service.live_policies.leave(topic.name)
            del self._ending[key]
            ended.set_result(None)

    def lose_all(self, error: LedgerError) -> None:
        """All topics belong to other brokers now, those that are being loaded too.

        On return nothing of them is stored, delivered or kept any more.
        """
        self._losses += 1
        for topic in list(self.loaded.values()):
            topic.lose(error)

    async def close_those(self, belongs: Callable[[TopicName], bool]) -> None:
        """Close topics, those that are being loaded too; their clients look them up again.

        A failure of one does not keep the others from it.
        """
        await self.loads_end(belongs)
        await self._close([each for each in self.loaded.values() if belongs(each.name)])

    async def loads_end(self, belongs: Callable[[TopicName], bool]) -> None:
        """Wait until those that are being loaded or ended are not any more."""
        waits: tuple[Mapping[str, asyncio.Future[Any]], ...] = (self._loading, self._ending)
        for futures in waits:
            belonging = [key for key in futures if belongs(TopicName.parse(key))]
            await _all_done([futures[key] for key in belonging])

    async def _close(self, topics: Sequence[Topic]) -> None:
        for start in range(0, len(topics), _CLOSED_AT_ONCE):
            async with TaskScope() as scope:
                for topic in topics[start : start + _CLOSED_AT_ONCE]:
                    scope.spawn(self._forget(topic), name=f"close {topic.name}")

    async def close_all(self) -> None:
        """Close all topics and load none any more.

        A failure of one does not keep the others from it.
        """
        self._stopped = True
        while self._loading:
            await asyncio.wait(list(self._loading.values()))
            await asyncio.sleep(0)  # lets those who waited for it get to their next step
        while self.loaded:
            await self._close(list(self.loaded.values()))

    async def delete_inactive(self) -> None:
        """Delete topics that nobody has used for long and that keep nothing for anybody."""
        await self._load_undeleted()
        for topic in list(self.loaded.values()):
            if not topic.closing and topic.inactive:
                log.info("topic %s is inactive and deleted", topic.name)
                try:
                    await self._delete(topic)
                except OUTSIDE_ERRORS as error:
                    log.warning("topic %s was not deleted: %s", topic.name, error)
                except Exception as error:  # noqa: BLE001 - it must not cost other topics
                    report_bug(f"topic {topic.name} was not deleted", error)

    async def _load_undeleted(self) -> None:
        """Load topics of which the deletion failed: they are inactive again before long."""
        for key, name in list(self._undeleted.items()):
            try:
                if self._service.ownership.serves(name):
                    await self.get(name, create=False)
            except TopicNotFoundError:
                pass  # it went after all
            except OUTSIDE_ERRORS as error:
                log.warning("topic %s was not deleted and does not open: %s", name, error)
                continue
            self._undeleted.pop(key, None)

    def tick_deduplication(self) -> None:
        """Keep sequence ids that were not kept for long, forget producers that are long gone."""
        for topic in self.loaded.values():
            if topic.dedup_keeper is not None:
                topic.dedup_keeper.tick()

    async def trim_retained(self) -> None:
        """Delete the ledgers of loaded topics that were kept for their age and are old enough now.

        Nothing else would: what a cursor held goes when the cursor moves, but time moves nothing.
        """
        for topic in list(self.loaded.values()):
            if topic.closing:
                continue
            try:
                await topic.ledger.trim()
            except OUTSIDE_ERRORS as error:
                log.warning("topic %s is not trimmed: %s", topic.name, error)
            except Exception as error:  # noqa: BLE001 - it must not end the broker for all others
                report_bug(f"topic {topic.name} is not trimmed", error)


async def _all_done(futures: Sequence[asyncio.Future[Any]]) -> None:
    if futures:
        await asyncio.wait(futures)
