"""The policies of the topics that are loaded here, kept up with metadata.

They are looked up when a topic is loaded, and again when metadata hints at a change; so a change
takes effect on loaded topics, whichever broker made it. Nothing is looked up per message.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from magnetar_metadata.store import MetadataError

from magnetar_broker.errors import NamespaceNotFoundError
from magnetar_broker.policies.defaults import broker_level
from magnetar_broker.policies.table import QUOTAS_NAME, namespace_level, topic_level
from magnetar_broker.policies.values import TopicPolicies
from magnetar_broker.topic_name import TopicName

if TYPE_CHECKING:
    from magnetar_runtime.scope import TaskScope

    from magnetar_broker.config import BrokerConfig
    from magnetar_broker.policies.store import PolicyStore
    from magnetar_broker.topic import Topic
    from magnetar_broker.topic_name import NamespaceName

log = logging.getLogger(__name__)

_NOTHING: Final[Mapping[str, Any]] = {QUOTAS_NAME: {}}
"""The level of a topic that has no policies of its own, as nearly all have none."""
_TOPICS_PER_TURN: Final = 100
"""Of a namespace with very many topics so many follow a change before the loop has its turn."""


@dataclass(slots=True)
class _Level:
    """What is set at one level, and how far that is up to date."""

    end: Callable[[], None] = lambda: None
    settings: Mapping[str, Any] = field(default_factory=dict)
    of_most: TopicPolicies | None = None  # of topics that have none of their own, if it is known
    fresh: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class LivePolicies:
    """Those of one broker."""

    def __init__(
        self,
        store: PolicyStore,
        config: BrokerConfig,
        loaded: Mapping[str, Topic],
        scope: TaskScope,
    ) -> None:
        self._store = store
        self._loaded = loaded
        self._scope = scope
        self._broker = broker_level(config)
        self._cluster = config.cluster
        self._namespaces: dict[NamespaceName, _Level] = {}
        self._topics: dict[TopicName, _Level] = {}
        self._hinted: dict[NamespaceName | TopicName, None] = {}
        self._task: asyncio.Task[None] | None = None

    async def follow(self, name: TopicName) -> TopicPolicies:
        """A topic is being loaded: what holds for it. Its changes are followed from now on.

        Raises:
            MetadataError: they cannot be read; nothing is followed.
        """
        namespace = name.namespace
        if namespace not in self._namespaces:
            level = self._namespaces[namespace] = _Level()
            level.end = self._store.watch_namespace(
                namespace, lambda: self._stale(level, namespace)
            )
        if name not in self._topics:
            own = self._topics[name] = _Level()
            own.end = self._store.watch_topic(name, lambda: self._stale(own, name))
        try:
            await self._read_namespace(namespace)
            await self._read_topic(name)
        except BaseException:
            self.leave(name)
            raise
        return self.known(name)

    def leave(self, name: TopicName) -> None:
        """The topic is not loaded any more, or not after all."""
        level = self._topics.pop(name, None)
        if level is not None:
            level.end()

    def close(self) -> None:
        """Follow nothing any more."""
        for level in (*self._namespaces.values(), *self._topics.values()):
            level.end()
        self._namespaces.clear()
        self._topics.clear()

    def known(self, name: TopicName) -> TopicPolicies:
        """What holds for a topic that is followed, as far as is known now."""
        namespace = self._namespaces.get(name.namespace) or _Level()
        topic = self._topics.get(name)
        if topic is not None and topic.settings not in ({}, _NOTHING):
            return TopicPolicies.of(topic.settings, namespace.settings, self._broker)
        if namespace.of_most is None:
            namespace.of_most = TopicPolicies.of({}, namespace.settings, self._broker)
        return namespace.of_most

    # Changes.

    def _stale(self, level: _Level, name: NamespaceName | TopicName) -> None:
        """Metadata hints at a change. After a reconnection it does so for all at one time."""
        level.fresh = False
        self._hinted[name] = None
        if self._task is None and not self._scope.closed:
            self._task = self._scope.spawn(self._follow_hints(), name="policies")

    async def _follow_hints(self) -> None:
        try:
            while self._hinted:
                name = next(iter(self._hinted))
                del self._hinted[name]
                if isinstance(name, TopicName):
                    await self._topic_changed(name)
                else:
                    await self.namespace_changed(name)
        finally:
            self._task = None

    async def namespace_changed(self, name: NamespaceName) -> None:
        """Have the loaded topics of a namespace follow what is set for it now."""
        level = self._namespaces.get(name)
        if level is None:
            return
        level.fresh = False
        try:
            await self._read_namespace(name)
        except MetadataError as error:
            log.warning("policies of %s are not up to date: %s", name, error)
            return
        for count, topic in enumerate(list(self._loaded.values())):
            if topic.name.namespace == name:
                self._apply(topic)
            if count % _TOPICS_PER_TURN == _TOPICS_PER_TURN - 1:
                await asyncio.sleep(0)

    async def topic_changed(self, name: TopicName) -> None:
        """Have a topic, or the partitions of one, follow what is set for it now."""
        for each in list(self._topics):
            if each == name or (each.is_partition and each.parent == name):
                await self._topic_changed(each)

    async def _topic_changed(self, name: TopicName) -> None:
        level = self._topics.get(name)
        if level is None:
            return
        level.fresh = False
        try:
            await self._read_topic(name)
        except MetadataError as error:
            log.warning("policies of %s are not up to date: %s", name, error)
            return
        topic = self._loaded.get(str(name))
        if topic is not None:
            self._apply(topic)

    async def catch_up(self) -> None:
        """Read again what could not be read when it changed, metadata being away."""
        for namespace, level in list(self._namespaces.items()):
            if not level.fresh:
                await self.namespace_changed(namespace)
        for name, level in list(self._topics.items()):
            if not level.fresh:
                await self._topic_changed(name)

    def _apply(self, topic: Topic) -> None:
        if not topic.closing and topic.name in self._topics:
            topic.apply(self.known(topic.name))

    async def _read_namespace(self, name: NamespaceName) -> None:
        level = self._namespaces.get(name)
        if level is None:
            return
        async with level.lock:  # what is read first is applied first
            while not level.fresh:
                level.fresh = True  # a hint that comes while it is read takes that back
                try:
                    settings = await self._store.namespace(name)
                except NamespaceNotFoundError:
                    settings = {}  # it is being deleted
                except BaseException:
                    level.fresh = False
                    raise
                level.settings = namespace_level(settings, str(name), self._cluster)
                level.of_most = None

    async def _read_topic(self, name: TopicName) -> None:
        level = self._topics.get(name)
        if level is None:
            return
        async with level.lock:
            while not level.fresh:
                level.fresh = True
                try:
                    settings = await self._store.topic(name)
                except BaseException:
                    level.fresh = False
                    raise
                level.settings = topic_level(settings, str(name.namespace))
