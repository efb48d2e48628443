"""Looks at the replicas of a ledger by reading from them."""

from magnetar_metadata.ledger_metadata import LedgerMetadata

from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.errors import SilentBookieError
from magnetar_ledger.repair.bookie_adds import LedgerAccess
from magnetar_ledger.repair.config import RepairConfig
from magnetar_ledger.repair.fragments import Fragment, known_fragments
from magnetar_ledger.repair.rate import RateLimit
from magnetar_ledger.repair.replica_check import bad_entries, in_batches


class LedgerCheck:
    """One look at all ledgers, at a bounded rate.

    An open last segment is not looked at: its writer may be about to add what is missing. Nor are
    bookies that are not registered: they are lost or will be back, which others decide.

    Args:
        registered: the bookies that are there.
    """

    def __init__(self, tools: ClientTools, config: RepairConfig, registered: set[str]) -> None:
        self._tools = tools
        self._config = config
        self._rate = RateLimit(config.check_rate_entries_per_s, tools.clock)
        self._registered = registered
        self.silent: set[str] = set()  # whoever did not answer once is not asked again
        self.entries_read = 0

    async def bad_bookies(self, ledger_id: int, metadata: LedgerMetadata) -> set[str]:
        """The bookies that lack entries of the ledger, or do not answer."""
        ledger = LedgerAccess.of(ledger_id, metadata)
        bad: set[str] = set()
        for fragment in known_fragments(metadata):
            if fragment.bookie_id not in self._registered or fragment.bookie_id in bad:
                continue
            if not await self._is_whole(ledger, fragment):
                bad.add(fragment.bookie_id)
        return bad

    async def _is_whole(self, ledger: LedgerAccess, fragment: Fragment) -> bool:
        if fragment.bookie_id in self.silent:
            return False
        sample = fragment.sample(self._config.verification_percent)
        for ids in in_batches(sample, self._config.copy_batch_entries):
            await self._rate.spend(len(ids))
            self.entries_read += len(ids)
            try:
                bad = await bad_entries(self._tools, self._config, ledger, fragment.bookie_id, ids)
            except SilentBookieError:
                self.silent.add(fragment.bookie_id)
                return False
            if bad:
                return False
        return True
