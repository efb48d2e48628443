"""Whether entries can be read, as a client of the bookie would find it."""

import asyncio
from collections.abc import Sequence
from typing import Final

from magnetar_proto.bookie import Bookie, Status

_READ_ENTRIES: Final = 256
_READ_BYTES: Final = 1 << 20


async def count_readable(
    bookie: Bookie, ledger_id: int, entry_id: int, most: int = _READ_ENTRIES
) -> tuple[Status, int]:
    """How many entries can be read from this one on, as far as one read goes."""
    sink = _Sink()
    count = min(most, _READ_ENTRIES)
    bookie.read(ledger_id, entry_id, count, _READ_BYTES, 0, b"", sink, 0)
    return await sink.end


class _Sink:
    def __init__(self) -> None:
        self.end: asyncio.Future[tuple[Status, int]] = asyncio.get_running_loop().create_future()

    def read_completed(
        self, _context: int, status: Status, _first: int, entries: Sequence[bytes]
    ) -> None:
        if not self.end.done():  # a cancelled wait
            self.end.set_result((status, len(entries)))
