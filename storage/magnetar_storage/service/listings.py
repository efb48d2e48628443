"""Lists of a ledger's entries for the network: made one after another, as each reads its blocks."""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper.availability import AvailabilityEncoder
from magnetar_runtime.scope import TaskScope

from magnetar_storage.entry_listing import Feed
from magnetar_storage.service.limits import ServiceLimits

ListEntries = Callable[[int, Feed], Awaitable[Status]]
Listed = Callable[[Status, bytes | None], None]
"""Takes how it ended, and the list in BookKeeper's form on OK."""


class _ListTooLongError(Exception):
    """The list does not fit into a frame."""


class Listings:
    """All of a service; the end of the scope ends them without a word."""

    def __init__(self, list_entries: ListEntries, limits: ServiceLimits, scope: TaskScope) -> None:
        self._list_entries = list_entries
        self._limits = limits
        self._scope = scope
        self._waiting: deque[tuple[int, Listed]] = deque()
        self._running = False

    @property
    def busy(self) -> bool:
        """Some are asked for that have not ended."""
        return self._running

    def list(self, ledger_id: int, listed: Listed) -> None:
        """List a ledger's entries; refused within the call if too many wait."""
        if len(self._waiting) >= self._limits.max_waiting_listings:
            listed(Status.TOO_MANY_REQUESTS, None)
            return
        self._waiting.append((ledger_id, listed))
        if not self._running:
            self._running = True
            self._scope.spawn(self._run(), name="lists of entries")

    async def _run(self) -> None:
        try:
            while self._waiting:
                ledger_id, listed = self._waiting.popleft()
                listed(*await self._list(ledger_id))
        finally:
            self._running = False

    async def _list(self, ledger_id: int) -> tuple[Status, bytes | None]:
        encoder = AvailabilityEncoder()

        def feed(entry_ids: Iterable[int]) -> None:
            encoder.feed(entry_ids)
            if encoder.size > self._limits.max_listing_bytes:
                raise _ListTooLongError

        try:
            status = await self._list_entries(ledger_id, feed)
        except _ListTooLongError:
            return Status.BAD_REQUEST, None
        return status, encoder.finish() if status is Status.OK else None
