"""Reads entries that must be sent again: here one, there a few."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from magnetar_ledger.errors import LedgerError
from magnetar_ledger.position import Position

from magnetar_broker.consumer_link import ConsumeContext

if TYPE_CHECKING:
    from magnetar_ledger.managed import ManagedLedger

log = logging.getLogger(__name__)


class ReplayReader:
    """Gives a run of entries from the tail cache, else from the last read of storage.

    One read is under way at a time. At most one batch is in memory.
    """

    def __init__(
        self,
        ledger: ManagedLedger,
        context: ConsumeContext,
        name: str,
        on_ready: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._context = context
        self._name = name
        self._on_ready = on_ready
        self._asked = Position(-1, -1)
        self._held: tuple[Position, list[bytes]] | None = None
        self._busy = False
        self._closed = False

    def fetch(self, position: Position, count: int) -> tuple[Position, list[bytes]] | None:
        """The entries that are left of `count` ones from `position` on, in one ledger.

        Returns:
            The first position and its payload and some that follow; an empty list if none of the
            entries exists any more; None if they must be read first (`on_ready` tells when).
        """
        if self._busy or self._closed:
            return None
        limits = self._context.limits
        held = self._of_held(position)
        if held is None:
            turn = min(count, limits.round_robin_max_entries)
            held = self._ledger.read_cached(position, turn, limits.read_max_bytes)
        if held is None:
            self._busy = True
            self._context.scope.spawn(self._read(position, count), name=f"read again {self._name}")
            return None
        return self._cut(held, position, count)

    def forget(self) -> None:
        """Let go of what was read."""
        self._held = None

    def close(self) -> None:
        """Read no more."""
        self._closed = True
        self._held = None

    def _of_held(self, position: Position) -> tuple[Position, list[bytes]] | None:
        if self._held is None:
            return None
        first, payloads = self._held
        if position == self._asked:
            return self._held  # also if the entry itself is gone
        skip = position.entry_id - first.entry_id
        if first.ledger_id == position.ledger_id and 0 <= skip < len(payloads):
            return position, payloads[skip:]
        return None

    @staticmethod
    def _cut(
        batch: tuple[Position, list[bytes]], position: Position, count: int
    ) -> tuple[Position, list[bytes]]:
        first, payloads = batch
        end = position.entry_id + count
        if not payloads or first.ledger_id != position.ledger_id or first.entry_id >= end:
            return position, []
        return first, payloads[: end - first.entry_id]

    async def _read(self, position: Position, count: int) -> None:
        try:
            held = await self._ledger.read(position, count, self._context.limits.read_max_bytes)
        except LedgerError as error:
            log.warning("reading %s again at %s failed: %s", self._name, position, error)
            self._context.call_later(self._context.limits.read_retry_ms / 1000, self._ready)
            return
        self._held = held
        self._asked = position
        self._ready()

    def _ready(self) -> None:
        self._busy = False
        if not self._closed:
            self._on_ready()
