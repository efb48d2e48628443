"""Where a ledger's bookies are found by their ids."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from magnetar_proto.bookie import AddSink, Bookie, ReadSink, Status


class BookiePool(Protocol):
    """Bookies by id. An id that cannot be reached has a bookie too: its calls end UNAVAILABLE."""

    def bookie(self, bookie_id: str) -> Bookie: ...


class LocalBookies:
    """The bookies of this process; all others are unreachable."""

    def __init__(self, bookies: Mapping[str, Bookie]) -> None:
        self._bookies = bookies

    def bookie(self, bookie_id: str) -> Bookie:
        return self._bookies.get(bookie_id) or UnreachableBookie()


class UnreachableBookie:
    """Stands for a bookie that nobody knows the way to."""

    def add(
        self,
        ledger_id: int,
        entry_ids: Sequence[int],
        master_key: bytes,
        headers: Sequence[bytes],
        payloads: Sequence[bytes],
        flags: int,
        sink: AddSink,
    ) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(sink.adds_completed, entry_ids, Status.UNAVAILABLE)

    def read(
        self,
        ledger_id: int,
        first_entry_id: int,
        max_entries: int,
        max_bytes: int,
        flags: int,
        master_key: bytes,
        sink: ReadSink,
        context: int,
    ) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(sink.read_completed, context, Status.UNAVAILABLE, first_entry_id, ())

    @property
    def writable(self) -> bool:
        return True

    def when_writable(self, callback: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(callback)
