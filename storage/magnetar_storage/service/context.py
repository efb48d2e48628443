"""What all connections of a bookie service share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from magnetar_proto.bookie import Bookie, LacKeeper, Status, SyncDeferrer
from magnetar_runtime.disk import DiskSpace
from magnetar_runtime.scope import TaskScope

from magnetar_storage.entry_listing import Feed
from magnetar_storage.explicit_lacs import lac_of_body
from magnetar_storage.service.lac_table import LacTable
from magnetar_storage.service.limits import ServiceLimits
from magnetar_storage.service.listings import Listings
from magnetar_storage.service.long_polls import LongPolls
from magnetar_storage.service.security import ServiceSecurity


@dataclass(slots=True, eq=False)
class ServiceCounters:
    """Plain integers, read when metrics are asked for. All since the start but `connections`."""

    connections: int = 0
    connections_opened: int = 0
    protocol_errors: int = 0
    requests_refused: int = 0


class Flushed(Protocol):
    """What has something to write at the end of the loop's turn."""

    def flush(self) -> None: ...


class Flusher:
    """One write per connection and loop turn: a group commit's receipts leave together."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._dirty: list[Flushed] = []

    def add(self, connection: Flushed) -> None:
        """Flush at the end of the turn; once per turn and connection."""
        if not self._dirty:
            self._loop.call_soon(self._flush)
        self._dirty.append(connection)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection.flush()


class ServedBookie(Bookie, LacKeeper, SyncDeferrer, Protocol):
    """A bookie that is served to the network."""

    def explicit_lac(self, ledger_id: int) -> bytes:
        """The body in which the ledger's writer told its highest LAC; b"" without one."""

    async def list_entries(self, ledger_id: int, feed: Feed) -> Status:
        """Feed the ids of a ledger's entries that are here; only on OK are they all."""


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """What a connection works with.

    Attributes:
        tasks: closed with the service.
        disk_space: of all ledger directories together; None until it was looked at.
    """

    bookie: ServedBookie
    limits: ServiceLimits
    loop: asyncio.AbstractEventLoop
    lacs: LacTable
    polls: LongPolls
    flusher: Flusher
    listings: Listings
    tasks: TaskScope
    disk_space: Callable[[], DiskSpace | None]
    counters: ServiceCounters = field(default_factory=ServiceCounters)
    security: ServiceSecurity = field(default_factory=ServiceSecurity)

    def learn_lac(self, ledger_id: int, lac: int) -> None:
        """A writer has told that everything up to here is confirmed."""
        if self.lacs.learn(ledger_id, lac) and len(self.polls):
            self.polls.lac_moved(ledger_id, lac)

    def learn_explicit_lac(self, ledger_id: int) -> bytes | None:
        """`learn_lac` of what the bookie keeps; returns the body."""
        body = self.bookie.explicit_lac(ledger_id)
        if not body:
            return None
        self.learn_lac(ledger_id, lac_of_body(body))
        return body
