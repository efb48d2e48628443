"""Keeps the sequence ids of a topic in its cursor `pulsar.dedup`, in the form that Pulsar reads.

The numbers stand as properties of the cursor, by producer name. Behind its mark-delete position
the entries themselves tell the rest, and are read again when the topic is loaded.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Self

from magnetar_ledger.errors import LedgerError
from magnetar_ledger.position import LATEST, Position
from magnetar_runtime.bugs import report_bug

from magnetar_broker.deduplication import Deduplication
from magnetar_broker.subscribe import DEDUP_CURSOR

if TYPE_CHECKING:
    from magnetar_ledger.managed import Cursor, ManagedLedger

    from magnetar_broker.config import DedupConfig
    from magnetar_broker.topic import Topic

log = logging.getLogger(__name__)

_REPLAY_ENTRIES: Final = 200
"""Read at one time: less than 1 ms of work."""
_REPLAY_BYTES: Final = 1 << 20
_LEAST_INTERVAL_NS: Final = 1_000_000_000
"""Between two snapshots, however much is published: that of 10,000 producers takes 10 ms."""


class DedupKeeper:
    """One topic's, from its load to its end."""

    def __init__(self, topic: Topic, cursor: Cursor, dedup: Deduplication) -> None:
        """For `open` only."""
        self.dedup = dedup
        self._topic = topic
        self._cursor = cursor
        self._service = topic.service
        self._config: DedupConfig = topic.service.config.dedup
        self._last = cursor.mark_delete
        self._taken_ns = self._now_ns()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @classmethod
    async def open(cls, topic: Topic, ledger: ManagedLedger) -> Self:
        """Learn what was stored so far, and have repeats known from now on.

        Raises:
            LedgerError: The cursor or the entries behind it cannot be read.
        """
        dedup = Deduplication(topic.service.config.dedup.max_producers, topic.producers)
        cursor = await ledger.open_cursor(DEDUP_CURSOR, LATEST)
        cursor.active = False  # nothing need be cached for it
        dedup.restore(cursor.long_properties)
        keeper = cls(topic, cursor, dedup)
        await keeper._replay(ledger)
        topic.publishing.dedup = dedup
        topic.publishing.stored = keeper.entries_stored
        return keeper

    async def _replay(self, ledger: ManagedLedger) -> None:
        place = self._cursor.first_unacked()
        while True:
            place, payloads = await ledger.read(place, _REPLAY_ENTRIES, _REPLAY_BYTES)
            if not payloads:
                return
            ledger_id, entry_id = place
            for payload in payloads:
                self._last = Position(ledger_id, entry_id)
                self.dedup.replay(payload, self._last)
                entry_id += 1
            place = Position(ledger_id, entry_id)
            await asyncio.sleep(0)  # others have their turn between two slices

    def entries_stored(self, ledger_id: int, last_entry_id: int) -> None:
        """All up to this entry is stored: keep the numbers if it is time to."""
        self._last = Position(ledger_id, last_entry_id)
        if self.dedup.stored_since_snapshot < self._config.entries_interval:
            return
        if self._now_ns() - self._taken_ns >= _LEAST_INTERVAL_NS:
            self._snapshot_soon()

    def tick(self) -> None:
        """Forget producers that are gone for long, and keep the numbers if they are old."""
        forgotten = self.dedup.purge(self._now_ns() // 1_000_000, self._config.producer_timeout_ms)
        old = self._now_ns() - self._taken_ns >= self._config.snapshot_interval_ms * 1_000_000
        if forgotten or (old and self.dedup.stored_since_snapshot):
            self._snapshot_soon()

    def _snapshot_soon(self) -> None:
        if self._task is None and not self._closed:
            name = f"sequence ids of {self._topic.name}"
            self._task = self._service.scope.spawn(self._snapshot_quietly(), name=name)

    async def _snapshot_quietly(self) -> None:
        try:
            await self._snapshot()
        except LedgerError as error:
            log.warning("sequence ids of %s are not kept: %s", self._topic.name, error)
        except Exception as error:  # noqa: BLE001 - it must not end the broker for all others
            report_bug(f"sequence ids of {self._topic.name} are not kept", error)
        finally:
            self._task = None

    async def _snapshot(self) -> None:
        self._taken_ns = self._now_ns()
        position = self.dedup.snapshot_position(self._last)
        self._cursor.set_long_properties(self.dedup.snapshot())
        # Scenario: the cursor moves on, a ledger that nobody needs is trimmed, the process dies:
        # of what was in that ledger there is neither the entry nor the number.
        await self._cursor.flush()
        self._cursor.ack_cumulative(position)

    async def close(self) -> None:
        """Keep the numbers for the next owner of the topic; what fails is read again by it."""
        await self.stop()
        if self.dedup.stored_since_snapshot:
            await self._snapshot_quietly()

    async def stop(self) -> None:
        """Begin no snapshot any more."""
        self._closed = True
        if self._task is not None:
            await asyncio.wait([self._task])

    def _now_ns(self) -> int:
        return self._service.clock.monotonic_ns()
