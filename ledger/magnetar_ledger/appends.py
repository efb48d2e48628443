"""Appends that can be awaited, for programs that do not want to be called back."""

import asyncio
from collections import deque

from magnetar_ledger.errors import LedgerError
from magnetar_ledger.quorum_writer import QuorumWriter


class Appends:
    """The sink of a writer; makes a future for each entry, so it is not for the hot path."""

    def __init__(self, writer: QuorumWriter) -> None:
        self._writer = writer
        self._pending: deque[asyncio.Future[int]] = deque()
        writer.sink = self

    async def append(self, payload: bytes) -> int:
        """Add an entry and wait until it is on an ack quorum; returns its id.

        Entries stand in the ledger in the order of these calls. Waits first while too many bytes
        are pending; who is cancelled afterwards does not know whether the entry is there.

        Raises:
            LedgerFencedError: another client has the ledger now. The entry may be in it or not.
            LedgerError: what ended the writer, likewise.
        """
        while not self._writer.writable:
            await self._wait_writable()
        self._writer.add(payload)
        confirmed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._pending.append(confirmed)
        return await confirmed

    def entries_confirmed(self, first_entry_id: int, count: int) -> None:
        for entry_id in range(first_entry_id, first_entry_id + count):
            confirmed = self._pending.popleft()
            if not confirmed.done():  # else whoever waited was cancelled
                confirmed.set_result(entry_id)

    def writer_failed(self, error: LedgerError) -> None:
        pending, self._pending = self._pending, deque()
        for confirmed in pending:
            if not confirmed.done():
                confirmed.set_exception(error)

    async def _wait_writable(self) -> None:
        writable = asyncio.Event()
        self._writer.when_writable(writable.set)
        await writable.wait()
