"""Copies entries of a fragment from the other replicas to a bookie, at a bounded rate."""

from collections.abc import Sequence
from functools import partial

from magnetar_metadata.ledger_metadata import LedgerMetadata
from magnetar_proto.bookie import Status

from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.errors import EntryUnreadableError, NotEnoughBookiesError
from magnetar_ledger.repair.bookie_adds import LedgerAccess, StoredEntry, add_stored
from magnetar_ledger.repair.config import RepairConfig
from magnetar_ledger.repair.fragments import Fragment, ensemble_of
from magnetar_ledger.repair.rate import RateLimit
from magnetar_ledger.repair.replica_check import bad_entries, in_batches, runs_of, verified
from magnetar_ledger.replica_reads import read_replicas


class FragmentCopier:
    """Copies for one worker. Entries go as they are, byte for byte, after a look at the digest.

    Attributes:
        entries_copied, bytes_copied: since it was made.
    """

    def __init__(self, tools: ClientTools, config: RepairConfig) -> None:
        self._tools = tools
        self._config = config
        self._rate = RateLimit(config.copy_rate_bytes_per_s, tools.clock)
        self.entries_copied = 0
        self.bytes_copied = 0

    async def copy_to(
        self, metadata: LedgerMetadata, ledger_id: int, fragment: Fragment, target: str
    ) -> None:
        """Give a new bookie all entries that the fragment's bookie should have.

        Raises:
            EntryUnreadableError, NoSuchEntryError, DigestMismatchError: an entry is on no replica.
            NotEnoughBookiesError: the new bookie does not take them.
        """
        ledger = LedgerAccess.of(ledger_id, metadata)
        for ids in in_batches(fragment.entry_ids(), self._config.copy_batch_entries):
            # The lost bookie last: it may serve though it is not registered.
            await self._copy(ledger, metadata, fragment, ids, target, ask_own=True)

    async def fill(self, metadata: LedgerMetadata, ledger_id: int, fragment: Fragment) -> None:
        """Give the fragment's bookie those of its entries that it lacks.

        Raises:
            SilentBookieError, and as `copy_to`.
        """
        ledger = LedgerAccess.of(ledger_id, metadata)
        for ids in in_batches(fragment.entry_ids(), self._config.copy_batch_entries):
            bad = await bad_entries(self._tools, self._config, ledger, fragment.bookie_id, ids)
            if bad:
                await self._copy(ledger, metadata, fragment, bad, fragment.bookie_id, ask_own=False)

    async def _copy(
        self,
        ledger: LedgerAccess,
        metadata: LedgerMetadata,
        fragment: Fragment,
        ids: Sequence[int],
        target: str,
        *,
        ask_own: bool,
    ) -> None:
        bookies = ensemble_of(metadata, fragment)
        for run in runs_of(ids):
            at = run.start
            while at < run.stop:
                order = self._order(fragment, at, ask_own=ask_own)
                entries = await self._read(ledger, bookies, order, at, run.stop - at)
                await self._add(ledger, target, at, entries)
                at += len(entries)

    def _order(self, fragment: Fragment, entry_id: int, *, ask_own: bool) -> list[int]:
        places = [p for p in fragment.quorum.write_set(entry_id) if p != fragment.place]
        if ask_own:
            places.append(fragment.place)
        if not places:
            raise EntryUnreadableError(f"entry {entry_id} had one replica only, and it is bad")
        return places

    async def _read(
        self,
        ledger: LedgerAccess,
        bookies: Sequence[str],
        order: Sequence[int],
        first_entry_id: int,
        count: int,
    ) -> list[bytes]:
        check = partial(verified, ledger, first_entry_id)
        _, entries = await read_replicas(
            self._tools,
            ledger.ledger_id,
            bookies,
            order,
            first_entry_id,
            count,
            self._config.copy_batch_bytes,
            check,
        )
        return entries

    async def _add(
        self, ledger: LedgerAccess, target: str, first_entry_id: int, entries: Sequence[bytes]
    ) -> None:
        size = sum(map(len, entries))
        await self._rate.spend(size)
        bookie = self._tools.bookies.bookie(target)
        stored = [StoredEntry(e, entry) for e, entry in enumerate(entries, first_entry_id)]
        status = await add_stored(bookie, ledger, stored, self._config.bookie_timeout_ms)
        if status is not Status.OK:
            self._tools.answered(target, status)
            raise NotEnoughBookiesError(
                f"bookie {target} answered {status.name} to entries of ledger {ledger.ledger_id}"
            )
        self.entries_copied += len(entries)
        self.bytes_copied += size
