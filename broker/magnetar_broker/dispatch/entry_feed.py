"""The entries of a topic in reading order, for one subscription."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from magnetar_ledger.errors import LedgerError
from magnetar_ledger.position import Position

from magnetar_broker.consumer_link import ConsumeContext

if TYPE_CHECKING:
    from magnetar_ledger.managed import ManagedLedger

log = logging.getLogger(__name__)

_LEAST_READ_BYTES: Final = 64 << 10
"""However little is asked for: reading single small entries would be slow."""
_FIRST_AVERAGE_BYTES: Final = 1024


class EntryFeed:
    """Gives what the tail cache holds at once; else reads from storage, one batch ahead.

    A dispatcher calls `fill`; if that is true, `payloads[offset:]` are the next entries, at
    `ledger_id` and from `entry_id` on, and `advance` says how many were used. If it is false there
    is nothing now: appends to the topic and the end of a read in the background (`on_ready`) are
    the times to ask again. Once half of a batch from storage is used the next is being read. At
    most two batches are in memory, each about as large as the most that was asked for:
    thousands of consumers that take nothing any more hold little.
    """

    def __init__(
        self,
        ledger: ManagedLedger,
        context: ConsumeContext,
        name: str,
        on_ready: Callable[[], None],
        skip: Callable[[Position], Position] | None = None,
    ) -> None:
        """
        Args:
            skip: gives the first entry from a position on that is worth reading.
        """
        self._skip = skip
        self._ledger = ledger
        self._context = context
        self._name = name
        self._on_ready = on_ready
        self.payloads: list[bytes] = []
        self.offset = 0
        self.ledger_id = -1
        self._first_entry_id = 0
        self._ahead: tuple[Position, list[bytes]] | None = None
        self._look_ahead_at: int | None = None
        self._wanted = 1  # the most since the seek: permits come in parts
        self._average_bytes = _FIRST_AVERAGE_BYTES
        self._read_position = Position(-1, -1)
        self._reading = False
        self._stale = False
        self._waiting_retry = False
        self._closed = False

    @property
    def entry_id(self) -> int:
        """Of the entry at `offset`."""
        return self._first_entry_id + self.offset

    @property
    def position(self) -> Position:
        """What is given next; the entry need not exist yet."""
        if self.offset < len(self.payloads):
            return Position(self.ledger_id, self.entry_id)
        return self._ahead[0] if self._ahead is not None else self._read_position

    def will_give(self, position: Position) -> bool:
        """Whether the entry there is still to come: it was neither used nor passed over.

        What stands behind `position` may have been passed over: reading is ahead of it.
        """
        if position >= self._read_position:
            return True
        batches = [(Position(self.ledger_id, self.entry_id), len(self.payloads) - self.offset)]
        if self._ahead is not None:
            batches.append((self._ahead[0], len(self._ahead[1])))
        ledger_id, entry_id = position
        return any(
            first.ledger_id == ledger_id and first.entry_id <= entry_id < first.entry_id + count
            for first, count in batches
        )

    def seek(self, position: Position) -> None:
        """Go on from the first entry at or after `position`; what was read ahead is dropped."""
        self.payloads = []
        self.offset = 0
        self._ahead = None
        self._look_ahead_at = None
        self._wanted = 1
        self._read_position = position
        self._stale = self._reading

    def close(self) -> None:
        """Read no more; the result of a read under way is dropped."""
        self._closed = True
        self.seek(self._read_position)

    def advance(self, count: int) -> None:
        """So many of the entries were used."""
        self.offset += count
        assert self.offset <= len(self.payloads)
        if self._look_ahead_at is not None and self.offset >= self._look_ahead_at:
            self._look_ahead_at = None
            self._look_ahead()

    def fill(self, wanted: int) -> bool:
        """Whether there is an entry at `offset`; begins a read if that takes one.

        Args:
            wanted: so many entries can be used before anybody asks for more.
        """
        self._wanted = max(wanted, self._wanted)
        if self.offset < len(self.payloads):
            return True
        if self._ahead is not None:
            self._use(self._ahead)
            self._ahead = None
            self._look_ahead_at = (len(self.payloads) + 1) // 2
            return True
        got = self._read_cached()
        if got is not None:
            self._use(got)
            return True
        self.payloads = []  # the cache may let go of what was sent
        self.offset = 0
        self._begin_read()
        return False

    def _use(self, batch: tuple[Position, list[bytes]]) -> None:
        (self.ledger_id, self._first_entry_id), self.payloads = batch
        self.offset = 0
        self._look_ahead_at = None

    def _read_cached(self) -> tuple[Position, list[bytes]] | None:
        if self._closed or (self._reading and not self._stale):
            return None
        if self._skip is not None:
            self._read_position = self._skip(self._read_position)
        limits = self._context.limits
        got = self._ledger.read_cached(
            self._read_position, limits.read_max_entries, limits.read_max_bytes
        )
        if got is not None:
            self._passed(got)
        return got

    def _passed(self, batch: tuple[Position, list[bytes]]) -> None:
        first, payloads = batch
        self._read_position = Position(first.ledger_id, first.entry_id + len(payloads))

    def _look_ahead(self) -> None:
        """The batch before this one came from storage, so the next one probably does."""
        self._ahead = self._read_cached()
        if self._ahead is None:
            self._begin_read()

    def _begin_read(self) -> None:
        if self._reading or self._waiting_retry or self._closed:
            return
        if self._read_position > self._ledger.last_position:
            return
        self._reading = True
        self._context.scope.spawn(self._read(self._read_position), name=f"read {self._name}")

    async def _read(self, position: Position) -> None:
        limits = self._context.limits
        read_bytes = max(self._wanted * self._average_bytes, _LEAST_READ_BYTES)
        end = self._ledger.last_position
        payloads: list[bytes] = []
        failed = False
        try:
            first, payloads = await self._ledger.read(
                position, limits.read_max_entries, min(read_bytes, limits.read_max_bytes)
            )
        except LedgerError as error:
            log.warning("reading %s at %s failed: %s", self._name, position, error)
            failed = True
        self._reading = False
        stale, self._stale = self._stale, False
        if self._closed:
            return
        if failed:
            self._retry_later()
        elif stale:
            self._on_ready()
        elif payloads:
            self._average_bytes = sum(map(len, payloads)) // len(payloads)
            self._ahead = (first, payloads)
            self._passed(self._ahead)
            self._on_ready()
        elif self._ledger.last_position != end:
            # Nothing was left when it was read, and what came meanwhile found a read under way.
            self._on_ready()

    def _retry_later(self) -> None:
        self._waiting_retry = True
        self._context.call_later(self._context.limits.read_retry_ms / 1000, self._retry)

    def _retry(self) -> None:
        self._waiting_retry = False
        if not self._closed:
            self._on_ready()
