"""Reading a topic's entries back from its ledgers."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from magnetar_metadata.ledger_metadata import Segment

from magnetar_ledger.errors import LedgerError
from magnetar_ledger.managed.config import ManagedLedgerDeps
from magnetar_ledger.managed.ledger_chain import PASSWORD
from magnetar_ledger.managed.ledger_list import LedgerList
from magnetar_ledger.position import Position
from magnetar_ledger.reader import LedgerReader
from magnetar_ledger.writer import LedgerWriter

_MAX_OPEN_READERS = 64

_LOOK_AGAIN_MS: Final = 10_000
"""For so long reads of a ledger that fail do not ask again whether its entries have moved."""


class LedgerReads:
    """Readers of the ledgers that were read lately, and of the one that is written."""

    def __init__(self, ledgers: LedgerList, deps: ManagedLedgerDeps) -> None:
        self._ledgers = ledgers
        self._client = deps.client
        self._clock = deps.clock
        self._readers: dict[int, LedgerReader] = {}
        self._opening = asyncio.Lock()  # two readers of one old ledger open it once
        self._looks_ms: dict[int, float] = {}  # when it was looked where entries are, by ledger
        self._looking = asyncio.Lock()  # many cursors fail at once: one looks for all

    def follow(self, writer: LedgerWriter) -> None:
        """Read this ledger through its writer, which knows what is confirmed."""
        self._keep(writer.ledger_id, writer.reader())

    def forget(self, ledger_ids: list[int]) -> None:
        """These ledgers are gone."""
        for ledger_id in ledger_ids:
            self._drop(ledger_id)

    async def read(
        self, position: Position, max_entries: int, max_bytes: int
    ) -> tuple[Position, list[bytes]]:
        """Entries of one ledger that follow on, from the first at or after `position`.

        Returns:
            Where the first one stands and the payloads: none at the end, at least one before it.

        Raises:
            LedgerError
        """
        ledger_id, entry_id = position = self._ledgers.at_or_after(position)
        left = self._ledgers.entries.get(ledger_id, 0) - entry_id
        if left <= 0:
            return position, []
        reader = await self._reader(ledger_id)
        max_entries = min(max_entries, left)
        asked = reader.metadata.segments
        try:
            return position, await reader.read(entry_id, max_entries, max_bytes)
        except LedgerError:
            if not await self._has_moved(reader, asked):
                raise
        return position, await reader.read(entry_id, max_entries, max_bytes)

    async def find_first(self, predicate: Callable[[bytes], bool]) -> Position | None:
        """The first entry that `predicate` is true of, by binary search; None if it is of none.

        The predicate must be false of all entries before that one and true of all behind it.

        Raises:
            LedgerError
        """
        low, high = self._ledgers.first_index, self._ledgers.end_index
        end = high
        while low < high:
            middle = (low + high) // 2
            # What was trimmed while we waited counts as before.
            if middle < self._ledgers.first_index:
                low = self._ledgers.first_index
                high = max(low, high)
                continue
            _, payloads = await self.read(self._ledgers.position_at(middle), 1, 1)
            if predicate(payloads[0]):
                high = middle
            else:
                low = middle + 1
        low = max(low, self._ledgers.first_index)
        return self._ledgers.position_at(low) if low < end else None

    async def _reader(self, ledger_id: int) -> LedgerReader:
        reader = self._readers.get(ledger_id)
        if reader is not None:
            return reader
        async with self._opening:
            reader = self._readers.get(ledger_id)
            if reader is None:
                # It is closed, but its metadata may not say so if an owner stopped in between.
                reader = await self._client.open(ledger_id, password=PASSWORD, recover=True)
                self._keep(ledger_id, reader)
            return reader

    async def _has_moved(self, reader: LedgerReader, asked: tuple[Segment, ...]) -> bool:
        """Whether the entries of a ledger are elsewhere than where they were asked for in vain.

        Scenario: bookies A and B were decommissioned one after the other. Repair has put the
        entries on C and D, and told nobody who has the ledger open.
        """
        ledger_id = reader.ledger_id
        async with self._looking:
            now_ms = self._clock.monotonic_ns() / 1_000_000
            rested = now_ms - self._looks_ms.get(ledger_id, -_LOOK_AGAIN_MS) >= _LOOK_AGAIN_MS
            if reader.metadata.segments == asked and rested:
                self._looks_ms[ledger_id] = now_ms
                with suppress(LedgerError):  # the error of the read says more
                    # Not `open`, which recovers: that could fence our own writer.
                    await reader.refresh()
            return reader.metadata.segments != asked

    def _drop(self, ledger_id: int) -> None:
        self._readers.pop(ledger_id, None)
        self._looks_ms.pop(ledger_id, None)

    def _keep(self, ledger_id: int, reader: LedgerReader) -> None:
        self._readers[ledger_id] = reader
        while len(self._readers) > _MAX_OPEN_READERS:
            oldest = next(each for each in self._readers if each != self._ledgers.current_id)
            self._drop(oldest)
