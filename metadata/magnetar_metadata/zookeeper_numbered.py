"""Making sequential ephemeral nodes, and finding those again whose replies were lost."""

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import cast

from magnetar_runtime.scope import TaskScope

from magnetar_metadata.store import (
    ANY_VERSION,
    MetadataError,
    Node,
    NoNodeError,
    UnknownOutcomeError,
)
from magnetar_metadata.tree import parent_of
from magnetar_metadata.zookeeper_client import Done, Link, ZooKeeperClient
from magnetar_metadata.zookeeper_orphans import SequentialNodes, remove_orphans
from magnetar_metadata.zookeeper_session import ZooKeeperSession

log = logging.getLogger(__name__)


class NumberedNodes:
    """The sequential ephemeral nodes of a store. What nobody was told of is removed."""

    def __init__(self, client: ZooKeeperClient, session: ZooKeeperSession) -> None:
        self._client = client
        self._session = session
        self._nodes = SequentialNodes()
        self._scope = TaskScope()
        self._cleaning = False
        self._closed = False

    async def create(self, prefix: str, value: bytes) -> str:
        """Make a node and return its path.

        Raises:
            UnknownOutcomeError: if it was made, it will be removed.
            NoNodeError, SessionExpiredError
        """
        made: list[str] = []
        given_up = False

        def submit(done: Done) -> None:
            def told(path: str | None, error: MetadataError | None) -> None:
                if path is not None and given_up:
                    self._reply_lost(prefix)
                elif path is not None:
                    # In this step: the search for orphans relies on the order of the replies.
                    self._nodes.told(path)
                    made.append(path)
                done(path, error)

            self._client.create(prefix, value, True, True, told)

        try:
            path = await self._session.request(prefix, submit, repeat=False, of_session=True)
        except (UnknownOutcomeError, asyncio.CancelledError):
            given_up = True
            for path in made:  # it came, and the caller had gone
                self._nodes.removed(path)
            self._reply_lost(prefix)
            raise
        return cast(str, path)

    def removed(self, path: str) -> None:
        """A node was deleted, perhaps one of these."""
        self._nodes.removed(path)

    def link_changed(self, link: Link) -> None:
        if link in (Link.EXPIRED, Link.OVER):
            self._nodes.session_ended()
        elif link is Link.CONNECTED:
            self._look_for_orphans()

    async def close(self) -> None:
        """Look for nothing any more: all nodes go with the session."""
        self._closed = True
        await self._scope.close()

    def _reply_lost(self, prefix: str) -> None:
        self._nodes.reply_lost(prefix)
        self._look_for_orphans()

    def _look_for_orphans(self) -> None:
        if not self._closed and not self._cleaning and self._nodes.has_suspects():
            self._cleaning = True
            self._scope.spawn(self._clean(), name="orphans")

    async def _clean(self) -> None:
        try:
            while suspects := self._nodes.take_suspects():
                for prefix in suspects:
                    await self._remove_orphans(prefix)
        finally:
            self._cleaning = False

    async def _remove_orphans(self, prefix: str) -> None:
        try:
            paths = await self._siblings(prefix)
            removed = await remove_orphans(self._nodes, prefix, paths, self._owned, self._remove)
        except UnknownOutcomeError:
            self._nodes.reply_lost(prefix)  # later, then
        except MetadataError as error:
            log.warning("nodes of lost replies may be left at %s: %s", prefix, error)
        else:
            for path in removed:
                log.warning("removed %s: made by a call whose reply was lost", path)

    async def _siblings(self, prefix: str) -> list[str]:
        parent = parent_of(prefix)
        try:
            names = await self._session.request(
                parent, partial(self._client.children, parent), repeat=True
            )
        except NoNodeError:
            return []
        return [f"{parent.rstrip('/')}/{name}" for name in names]

    async def _owned(self, path: str) -> bool:
        try:
            node = await self._session.request(path, partial(self._client.get, path), repeat=True)
        except NoNodeError:
            return False
        return cast(Node, node).stat.ephemeral_owner == self._session.id

    async def _remove(self, path: str) -> None:
        # It may be made twice: no node ever gets this number again.
        submit = partial(self._client.delete, path, ANY_VERSION)
        with suppress(NoNodeError):
            await self._session.request(path, submit, repeat=True)
