"""Writes some entries and waits until the last of them is confirmed."""

import asyncio
from collections.abc import Sequence

from magnetar_ledger.errors import LedgerError
from magnetar_ledger.writer import LedgerWriter


class _CountingSink:
    """Waits for so many entries."""

    def __init__(self, entries: int) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._left = entries

    def entries_confirmed(self, first_entry_id: int, count: int) -> None:
        self._left -= count
        if self._left <= 0 and not self.done.done():
            self.done.set_result(None)

    def writer_failed(self, error: LedgerError) -> None:
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # also when nobody waits any more


async def append_all(writer: LedgerWriter, entries: Sequence[bytes]) -> None:
    """Append at least one entry to a ledger; all are confirmed on return. Raises LedgerError."""
    sink = _CountingSink(len(entries))
    writer.sink = sink
    for entry in entries:
        writer.add(entry)
    await sink.done
