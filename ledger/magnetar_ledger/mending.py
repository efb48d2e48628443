"""Entries that one bookie has lost, fetched from the other replicas and given to it again.

The bookie keeps its place in the ledger: metadata does not change. What is given is byte for byte
what the writer made, after a look at its digest.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from magnetar_metadata.ledger_metadata import LedgerMetadata
from magnetar_proto.bookie import Bookie, Status

from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.read_race import read_order
from magnetar_ledger.repair.bookie_adds import LedgerAccess, StoredEntry, add_stored
from magnetar_ledger.repair.replica_check import verified
from magnetar_ledger.replica_reads import read_replicas
from magnetar_ledger.striping import Quorum, segment_index

_log = logging.getLogger(__name__)
_BATCH_ENTRIES = 256
_BATCH_BYTES = 1 << 20


class ReplicaMender:
    """Mends one bookie from the others.

    Args:
        bookie: the one that is mended, under `bookie_id`.
        rate_bytes_per_s: how much is fetched in a second at the most.
    """

    def __init__(
        self, tools: ClientTools, bookie: Bookie, bookie_id: str, rate_bytes_per_s: int
    ) -> None:
        self._tools = tools
        self._bookie = bookie
        self._bookie_id = bookie_id
        self._rate_bytes_per_s = rate_bytes_per_s

    async def mend(
        self, ledger_id: int, metadata: LedgerMetadata, runs: Sequence[tuple[int, int]]
    ) -> int:
        """Add entries of these ids, first and last of each run, to the bookie again.

        Returns:
            How many were added. Those that no replica gives now, and those that the bookie does
            not take, are left out.
        """
        ledger = _Ledger(ledger_id, metadata)
        mended = 0
        for first, last in runs:
            entry_id = first
            while entry_id <= last:
                tried, added = await self._mend_some(ledger, entry_id, last)
                entry_id += tried
                mended += added
        return mended

    async def _mend_some(self, ledger: "_Ledger", first: int, last: int) -> tuple[int, int]:
        """How many entries were tried from the first one on, and how many of them were added."""
        bookies, end = ledger.segment_of(first)
        if self._bookie_id not in bookies:
            return 1, 0  # metadata has changed
        order = read_order(
            [p for p in ledger.quorum.write_set(first) if bookies[p] != self._bookie_id],
            bookies,
            preferred=None,
            shunned=self._tools.quarantined(),
        )
        if not order:
            return 1, 0  # nobody else ever had it
        most = 1 if ledger.quorum.striped else min(last + 1, end) - first
        try:
            _, entries = await read_replicas(
                self._tools,
                ledger.ledger_id,
                bookies,
                order,
                first,
                min(most, _BATCH_ENTRIES),
                _BATCH_BYTES,
                partial(verified, ledger.access, first),
            )
        except LedgerError as error:
            _log.warning("no replica gives entry %d:%d: %s", ledger.ledger_id, first, error)
            return 1, 0
        stored = [StoredEntry(entry_id, entry) for entry_id, entry in enumerate(entries, first)]
        timeout_ms = self._tools.config.add_timeout_ms
        status = await add_stored(self._bookie, ledger.access, stored, timeout_ms)
        await asyncio.sleep(sum(map(len, entries)) / self._rate_bytes_per_s)
        if status is not Status.OK:
            _log.warning(
                "entries of ledger %d from %d on cannot be added again: %s",
                ledger.ledger_id, first, status.name,
            )  # fmt: skip
            return len(entries), 0
        return len(entries), len(entries)


class _Ledger:
    """What reads and adds of a ledger need to know."""

    def __init__(self, ledger_id: int, metadata: LedgerMetadata) -> None:
        self.ledger_id = ledger_id
        self.access = LedgerAccess.of(ledger_id, metadata)
        self.quorum = Quorum.of(metadata)
        self._segments = metadata.segments

    def segment_of(self, entry_id: int) -> tuple[tuple[str, ...], int]:
        """The bookies of an entry, and the first id that others have."""
        index = segment_index(self._segments, entry_id)
        following = self._segments[index + 1 : index + 2]
        end = following[0].first_entry_id if following else 1 << 63
        return self._segments[index].bookies, end
