"""What keeps a producer or consumer attached to the broker that has its topic."""

import asyncio
import logging
from typing import Final

from magnetar_runtime.scope import TaskScope

from magnetar.backoff import Backoff
from magnetar.connection import Connection
from magnetar.errors import AlreadyClosed, PulsarException
from magnetar.lookup import Lookup, retried

log = logging.getLogger(__name__)

_FIRST_BACKOFF_MS: Final = 100
_MAX_BACKOFF_MS: Final = 60_000


class Attachment:
    """Base of producers and consumers of one topic.

    Attributes:
        topic: its full name.
        connection: to the broker that has the topic; None while there is none.
        closed: it was closed, or cannot be attached any more; `failure` says why.
    """

    def __init__(self, topic: str, what: str, lookup: Lookup, scope: TaskScope) -> None:
        self.topic = topic
        self.what = what
        self.connection: Connection | None = None
        self.closed = False
        self.failure: PulsarException | None = None
        self._lookup = lookup
        self._scope = scope
        self._backoff = Backoff(_FIRST_BACKOFF_MS, _MAX_BACKOFF_MS, lookup.rng)
        self._reattaching: asyncio.Task[None] | None = None
        self._attached = asyncio.Event()

    async def open(self, timeout_s: float) -> None:
        """Attach for the first time.

        Raises:
            PulsarException: it was refused, or did not work in time.
        """
        await retried(self._attach_once, timeout_s, self._lookup.rng)

    async def attached(self) -> None:
        """Wait until it is attached.

        Raises:
            PulsarException: it never will be.
        """
        await self._attached.wait()
        self.check_open()

    def check_open(self) -> None:
        """Raise if it was closed."""
        if self.closed:
            raise self.failure or AlreadyClosed(f"{self.what} is closed")

    def link_lost(self, connection: Connection) -> None:
        """The broker does not know it any more."""
        if self.connection is not connection:
            return
        self.connection = None
        self._attached.clear()
        self._on_detached()
        self._come_back()

    def _come_back(self) -> None:
        """Attach again, in a task, as long as it takes."""
        if self.closed or self._scope.closed or self._reattaching is not None:
            return
        log.info("%s: the broker is gone; connecting again", self.what)
        self._reattaching = self._scope.spawn(self._reattach(), name=f"attach {self.what}")

    async def _reattach(self) -> None:
        try:
            while not self.closed and self.connection is None:
                await asyncio.sleep(self._backoff.next_ms() / 1000)
                try:
                    await self._attach_once()
                except PulsarException as error:
                    if error.ends_attachment and not self.closed:
                        log.error("%s ends: %s", self.what, error)
                        self.fail(error)
                        return
                    log.info("%s: not attached yet: %s", self.what, error)
        finally:
            self._reattaching = None

    async def _attach_once(self) -> None:
        connection = await self._lookup.connection_of(self.topic)
        self.check_open()
        await self._attach(connection)
        self._backoff.reset()

    def _set_attached(self, connection: Connection) -> None:
        """To be called in the step in which the broker's consent was seen."""
        self.connection = connection
        self._attached.set()

    def fail(self, error: PulsarException) -> None:
        """It ends with this error."""
        if self.closed:
            return
        self.failure = error
        self.end()

    def end(self) -> None:
        """Nothing is attached again; whoever waits is told."""
        self.closed = True
        self.connection = None
        if self._reattaching is not None and self._reattaching is not asyncio.current_task():
            self._reattaching.cancel()
        self._attached.set()
        self._on_ended(self.failure or AlreadyClosed(f"{self.what} is closed"))

    def leave(self) -> None:
        """End, and have the broker forget it, without waiting for the answer."""
        if self.closed:
            return
        connection = self.connection
        self.end()
        if connection is not None:
            self._forget_at(connection)

    def forked(self, error: PulsarException) -> None:
        """This is the child of a fork: it is dead, and the connection is the parent's alone."""
        self.failure, self.closed, self.connection = error, True, None

    async def _attach(self, connection: Connection) -> None:
        raise NotImplementedError

    def _forget_at(self, connection: Connection) -> None:
        """Have the broker forget it, without waiting for the answer."""
        raise NotImplementedError

    def _on_detached(self) -> None:
        """The broker is gone; what was under way there is lost or must be sent again."""

    def _on_ended(self, error: PulsarException) -> None:
        """Tell all who wait."""
        raise NotImplementedError
