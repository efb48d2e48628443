"""A read that goes from replica to replica until one gives a good answer."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from magnetar_proto.bookie import Status

from magnetar_ledger.bookie_calls import start_read
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.errors import EntryUnreadableError, LedgerError, NoSuchEntryError
from magnetar_ledger.read_race import ReadRace

_BACK_OFF = 2
"""By how much the wait before each further speculative read grows, as in BookKeeper."""

Check = Callable[[Sequence[bytes]], list[bytes]]
"""Entries in, payloads out; raises DigestMismatchError."""


async def read_replicas(
    tools: ClientTools,
    ledger_id: int,
    bookies: Sequence[str],
    order: Sequence[int],
    first_entry_id: int,
    max_entries: int,
    max_bytes: int,
    check: Check,
) -> tuple[int, list[bytes]]:
    """Payloads, and the place of the replica that gave them.

    The next replica is asked when one fails, and also when one has not answered for
    `speculative_read_timeout_ms`, without giving that one up: whoever is first wins.

    Args:
        bookies: the ensemble.
        order: places in it, whom to ask first.

    Raises:
        NoSuchEntryError, EntryUnreadableError, DigestMismatchError
    """
    read = _ReplicaRead(tools, ledger_id, bookies, order, first_entry_id, max_entries, max_bytes)
    read.check = check
    try:
        read.ask_next()
        return await read.result
    finally:
        read.stop()


class _ReplicaRead:
    check: Check

    def __init__(
        self,
        tools: ClientTools,
        ledger_id: int,
        bookies: Sequence[str],
        order: Sequence[int],
        first_entry_id: int,
        max_entries: int,
        max_bytes: int,
    ) -> None:
        self._tools = tools
        self._ledger_id = ledger_id
        self._bookies = bookies
        self._race = ReadRace(order)
        self._what = (first_entry_id, max_entries, max_bytes)
        self._patience_ms = float(tools.config.speculative_read_timeout_ms)
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self.result: asyncio.Future[tuple[int, list[bytes]]] = self._loop.create_future()

    def ask_next(self) -> None:
        place = self._race.ask()
        self._set_timer()
        start_read(
            self._tools.bookies.bookie(self._bookies[place]),
            self._ledger_id,
            *self._what,
            flags=0,
            master_key=b"",
            timeout_ms=self._tools.config.read_timeout_ms,
            done=partial(self._answered, place),
        )

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self) -> None:
        self.stop()
        if self._patience_ms > 0 and self._race.more:
            self._timer = self._loop.call_later(self._patience_ms / 1000, self.ask_next)
            self._patience_ms *= _BACK_OFF

    def _answered(self, place: int, status: Status, entries: Sequence[bytes]) -> None:
        if self.result.done():
            return
        try:
            payloads = self._payloads(place, status, entries)
        except LedgerError as error:
            if self._race.failed(error):
                self.ask_next()
            elif self._race.lost:
                self.result.set_exception(self._race.error())
            return
        self.result.set_result((place, payloads))

    def _payloads(self, place: int, status: Status, entries: Sequence[bytes]) -> list[bytes]:
        bookie_id, (first_entry_id, max_entries, _) = self._bookies[place], self._what
        if status in (Status.NO_ENTRY, Status.NO_LEDGER):
            raise NoSuchEntryError(f"{bookie_id} has no entry {self._ledger_id}:{first_entry_id}")
        if status is not Status.OK or not entries:
            self._tools.answered(bookie_id, status)
            raise EntryUnreadableError(
                f"{bookie_id} answered {status.name} for entry {self._ledger_id}:{first_entry_id}"
            )
        return self.check(entries[:max_entries])
