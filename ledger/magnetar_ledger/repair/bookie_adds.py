"""Adding stored entries to one bookie again, with a deadline."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from magnetar_metadata.ledger_metadata import LedgerMetadata
from magnetar_proto.bookie import ENTRY_HEADER_BYTES, HIGH_PRIORITY, RECOVERY_ADD, Bookie, Status

from magnetar_ledger.digest import EntryDigest, master_key


class LedgerAccess(NamedTuple):
    """What reads and adds of a ledger's entries need, from its metadata."""

    ledger_id: int
    digest: EntryDigest
    key: bytes

    @staticmethod
    def of(ledger_id: int, metadata: LedgerMetadata) -> "LedgerAccess":
        digest = EntryDigest.of(metadata.digest_type, metadata.password)
        return LedgerAccess(ledger_id, digest, master_key(metadata.password))


class StoredEntry(NamedTuple):
    """An entry as bookies have it: header, digest, payload."""

    entry_id: int
    entry: bytes


async def add_stored(
    bookie: Bookie, ledger: LedgerAccess, entries: Sequence[StoredEntry], timeout_ms: float
) -> Status:
    """Store entries byte for byte, at least one; OK if all are stored, else the first failure.

    As recovery's adds they pass a fence (BookKeeper issue 4163) and a bookie that is read-only.
    """
    head = ENTRY_HEADER_BYTES + ledger.digest.size
    sink = _PendingAdds(len(entries))
    bookie.add(
        ledger.ledger_id,
        [stored.entry_id for stored in entries],
        ledger.key,
        [stored.entry[:head] for stored in entries],
        [stored.entry[head:] for stored in entries],
        RECOVERY_ADD | HIGH_PRIORITY,
        sink,
    )
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            return await sink.ended
    except TimeoutError:
        return Status.TIMEOUT


class _PendingAdds:
    """The sink of one run of adds."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.ended: asyncio.Future[Status] = asyncio.get_running_loop().create_future()

    def adds_completed(self, entry_ids: Sequence[int], status: Status) -> None:
        self._count -= len(entry_ids)
        if self.ended.done():
            return
        if status is not Status.OK or self._count == 0:
            self.ended.set_result(status)
