"""Which entries a bookie should have and has not, by reading them from it."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import islice

from magnetar_proto.bookie import Status

from magnetar_ledger.bookie_calls import read_bookie
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.errors import DigestMismatchError, SilentBookieError
from magnetar_ledger.repair.bookie_adds import LedgerAccess
from magnetar_ledger.repair.config import RepairConfig

_SILENT = (Status.TIMEOUT, Status.UNAVAILABLE, Status.TOO_MANY_REQUESTS)
"""Nobody can say after these what the bookie has. After any other error it has not what counts."""


async def bad_entries(
    tools: ClientTools,
    config: RepairConfig,
    ledger: LedgerAccess,
    bookie_id: str,
    entry_ids: Sequence[int],
) -> list[int]:
    """Those of the entries that the bookie cannot give as they were written, ascending.

    Raises:
        SilentBookieError
    """
    replica = _Replica(tools, config, ledger, bookie_id)
    found = await asyncio.gather(*(replica.bad_in(run) for run in runs_of(entry_ids)))
    return [entry_id for bad in found for entry_id in bad]


def in_batches(entry_ids: Iterator[int], count: int) -> Iterator[Sequence[int]]:
    """The ids in parts of `count`, made when they are asked for."""
    while batch := list(islice(entry_ids, count)):
        yield batch


def runs_of(entry_ids: Sequence[int]) -> Iterator[range]:
    """Ascending ids as ranges of those that follow on."""
    start = 0
    for at in range(1, len(entry_ids) + 1):
        if at == len(entry_ids) or entry_ids[at] != entry_ids[at - 1] + 1:
            yield range(entry_ids[start], entry_ids[at - 1] + 1)
            start = at


def verified(ledger: LedgerAccess, first_entry_id: int, entries: Sequence[bytes]) -> list[bytes]:
    """The entries before the first bad one.

    Raises:
        DigestMismatchError: that is the very first.
    """
    for count, entry in enumerate(entries):
        try:
            ledger.digest.payload_of(entry, ledger.ledger_id, first_entry_id + count)
        except DigestMismatchError:
            if not count:
                raise
            return list(entries[:count])
    return list(entries)


class _Replica:
    def __init__(
        self, tools: ClientTools, config: RepairConfig, ledger: LedgerAccess, bookie_id: str
    ) -> None:
        self._bookie = tools.bookies.bookie(bookie_id)
        self._bookie_id = bookie_id
        self._config = config
        self._ledger = ledger

    async def bad_in(self, run: range) -> list[int]:
        bad: list[int] = []
        at = run.start
        while at < run.stop:
            status, good = await self._read(at, run.stop - at)
            at += good
            if status is Status.NO_LEDGER:
                return [*bad, *range(at, run.stop)]
            if not good:
                bad.append(at)
                at += 1
        return bad

    async def _read(self, first_entry_id: int, count: int) -> tuple[Status, int]:
        """How a read ended, and how many good entries it gave."""
        status, entries = await read_bookie(
            self._bookie,
            self._ledger.ledger_id,
            first_entry_id,
            count,
            self._config.copy_batch_bytes,
            self._config.bookie_timeout_ms,
        )
        if status in _SILENT:
            raise SilentBookieError(f"bookie {self._bookie_id} does not answer: {status.name}")
        if status is not Status.OK or not entries:
            return status, 0
        try:
            return status, len(verified(self._ledger, first_entry_id, entries[:count]))
        except DigestMismatchError:
            return status, 0
