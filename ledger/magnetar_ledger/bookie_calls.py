"""One read of one bookie, with its deadline."""

import asyncio
from collections.abc import Callable, Sequence

from magnetar_proto.bookie import Bookie, Status

ReadDone = Callable[[Status, Sequence[bytes]], None]


def start_read(
    bookie: Bookie,
    ledger_id: int,
    first_entry_id: int,
    max_entries: int,
    max_bytes: int,
    *,
    flags: int,
    master_key: bytes,
    timeout_ms: float,
    done: ReadDone,
) -> None:
    """Read and call `done` once: with TIMEOUT after `timeout_ms`, whatever the bookie does."""
    sink = _PendingRead(timeout_ms, done)
    bookie.read(ledger_id, first_entry_id, max_entries, max_bytes, flags, master_key, sink, 0)


async def read_bookie(
    bookie: Bookie,
    ledger_id: int,
    first_entry_id: int,
    max_entries: int,
    max_bytes: int,
    timeout_ms: float,
) -> tuple[Status, Sequence[bytes]]:
    """A plain read for those that can wait."""
    future: asyncio.Future[tuple[Status, Sequence[bytes]]]
    future = asyncio.get_running_loop().create_future()

    def done(status: Status, entries: Sequence[bytes]) -> None:
        if not future.done():  # a cancelled wait
            future.set_result((status, entries))

    start_read(
        bookie,
        ledger_id,
        first_entry_id,
        max_entries,
        max_bytes,
        flags=0,
        master_key=b"",
        timeout_ms=timeout_ms,
        done=done,
    )
    return await future


class _PendingRead:
    """The sink of a single read."""

    __slots__ = ("_done", "_timer")

    def __init__(self, timeout_ms: float, done: ReadDone) -> None:
        self._done: ReadDone | None = done
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(timeout_ms / 1000, self._settle, Status.TIMEOUT, ())

    def read_completed(
        self, context: int, status: Status, first_entry_id: int, entries: Sequence[bytes]
    ) -> None:
        self._settle(status, entries)

    def _settle(self, status: Status, entries: Sequence[bytes]) -> None:
        self._timer.cancel()
        done, self._done = self._done, None
        if done is not None:  # else an answer that came after its deadline
            done(status, entries)
