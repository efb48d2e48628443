"""Clients that want to hear which topics of a namespace come and go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from magnetar_runtime.slices import Slices

from magnetar_broker.errors import OUTSIDE_ERRORS
from magnetar_broker.topic_list import names_hash

if TYPE_CHECKING:
    from magnetar_runtime.clock import Clock
    from magnetar_runtime.scope import TaskScope

    from magnetar_broker.patterns.topic_pattern import TopicPattern
    from magnetar_broker.topic_catalog import TopicCatalog
    from magnetar_broker.topic_name import NamespaceName, TopicName

log = logging.getLogger(__name__)

Names = Mapping[str, "TopicName"]
"""Topics by their full names."""


class Watcher(Protocol):
    """Who is told. Nothing is told while it is not `writable`; it catches up later."""

    @property
    def writable(self) -> bool:
        """Whether the peer takes what it is sent."""

    def topics_changed(
        self, added: Sequence[str], removed: Sequence[str], topics_hash: str
    ) -> None:
        """The topics of the watch are others than before."""


class TopicWatch:
    """What one client was told of a namespace.

    Attributes:
        matching: The names that its pattern takes.
    """

    def __init__(self, pattern: TopicPattern, watcher: Watcher) -> None:
        self.matching: set[str] = set()
        self.watcher = watcher
        self.namespace: NamespaceTopics | None = None
        self._pattern = pattern
        self._seen: Names = {}

    @property
    def topics_hash(self) -> str:
        return names_hash(self.matching)

    def is_at(self, names: Names) -> bool:
        return self._seen is names

    async def catch_up(self, names: Names, slices: Slices) -> tuple[list[str], list[str]]:
        """See the topics that there are now; returns those that were added and removed."""
        added = []
        for text in names.keys() - self._seen.keys():
            await slices.breathe()
            if self._pattern.matches(names[text]):
                added.append(text)
        removed = [text for text in self._seen.keys() - names.keys() if text in self.matching]
        self._seen = names
        self.matching.update(added)
        self.matching.difference_update(removed)
        return sorted(added), sorted(removed)


@dataclass(frozen=True, slots=True)
class WatchContext:
    """What all namespaces share.

    Attributes:
        delay_ms: Changes are looked at this long after the first of them, and so again if reading
            failed or a client was not writable.
    """

    catalog: TopicCatalog
    scope: TaskScope
    clock: Clock
    call_later: Callable[[float, Callable[[], None]], asyncio.TimerHandle]
    delay_ms: int


class NamespaceTopics:
    """The topics of one namespace, read again when metadata hints at a change, once for all."""

    def __init__(self, namespace: NamespaceName, context: WatchContext) -> None:
        self.namespace = namespace
        self.watches: dict[TopicWatch, None] = {}
        self._context = context
        self._names: Names = {}
        self._stale = True
        self._beginning = 0
        self._reading: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._end_of_hints = context.catalog.watch(namespace, self._hint)

    async def begin(self, watch: TopicWatch) -> None:
        """Let a client hear of all changes from now on; `watch` has what there is now.

        Raises:
            MetadataError: the topics could not be read.
        """
        self._beginning += 1
        try:
            await self._read()
            slices = Slices(self._context.clock)
            while not watch.is_at(self._names):
                await watch.catch_up(self._names, slices)
        finally:
            self._beginning -= 1
        self.watches[watch] = None
        watch.namespace = self
        if self._stale:
            self._follow_soon()

    @property
    def used(self) -> bool:
        """Whether there are watches, or some begin."""
        return bool(self.watches or self._beginning)

    def close(self) -> None:
        """Nobody watches any more."""
        self._end_of_hints()
        if self._timer is not None:
            self._timer.cancel()

    async def _read(self) -> None:
        """See what there is now; one read serves all who ask meanwhile."""
        while self._reading is not None:
            await asyncio.wait([self._reading])
        if not self._stale:
            return
        self._stale = False
        done = self._reading = asyncio.get_running_loop().create_future()
        names = None
        try:
            names = await self._context.catalog.topics(self.namespace)
            self._names = {str(name): name for name in names}
        finally:
            self._stale = self._stale or names is None
            self._reading = None
            done.set_result(None)

    def _hint(self) -> None:
        self._stale = True
        self._follow_soon()

    def _follow_soon(self) -> None:
        if self._timer is None and self.watches:
            context = self._context
            self._timer = context.call_later(context.delay_ms / 1000, self._follow)

    def _follow(self) -> None:
        self._context.scope.spawn(self._tell_all(), name=f"topics of {self.namespace}")

    async def _tell_all(self) -> None:
        try:
            await self._read()
            slices = Slices(self._context.clock)
            for watch in list(self.watches):
                await self._tell(watch, slices)
        except OUTSIDE_ERRORS as error:
            log.warning("the topics of %s are not read: %s", self.namespace, error)
        finally:
            self._timer = None
        if self._stale or not all(watch.is_at(self._names) for watch in self.watches):
            self._follow_soon()

    async def _tell(self, watch: TopicWatch, slices: Slices) -> None:
        if watch.is_at(self._names) or not watch.watcher.writable:
            return
        added, removed = await watch.catch_up(self._names, slices)
        if (added or removed) and watch in self.watches:
            watch.watcher.topics_changed(added, removed, watch.topics_hash)


class TopicWatches:
    """All that clients of this broker watch.

    Attributes:
        namespaces: Those that are watched, by name.
    """

    def __init__(self, context: WatchContext) -> None:
        self._context = context
        self.namespaces: dict[str, NamespaceTopics] = {}

    async def begin(self, namespace: NamespaceName, watch: TopicWatch) -> None:
        """Raises MetadataError: the topics could not be read."""
        key = str(namespace)
        if key not in self.namespaces:
            self.namespaces[key] = NamespaceTopics(namespace, self._context)
        topics = self.namespaces[key]
        try:
            await topics.begin(watch)
        finally:
            self._close_unused(topics)

    def end(self, watch: TopicWatch) -> None:
        """The client wants to hear no more."""
        topics, watch.namespace = watch.namespace, None
        if topics is not None:
            del topics.watches[watch]
            self._close_unused(topics)

    def _close_unused(self, topics: NamespaceTopics) -> None:
        if not topics.used and self.namespaces.get(str(topics.namespace)) is topics:
            del self.namespaces[str(topics.namespace)]
            topics.close()
