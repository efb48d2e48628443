"""Taking a bookie out of a cluster: its ledgers get other bookies, then it is forgotten."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from magnetar_metadata.bookie_registry import BookieRegistry
from magnetar_metadata.cookies import CookieRegistry
from magnetar_metadata.errors import NoNodeError
from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.store import MetadataStore
from magnetar_metadata.together import all_of
from magnetar_metadata.underreplication import Underreplication
from magnetar_runtime.clock import Clock

from magnetar_ledger.errors import DecommissionError
from magnetar_ledger.repair.fragments import bookies_needed
from magnetar_ledger.repair.ledger_walk import all_ledgers


class Decommission:
    """Decommissions one bookie, which must have been stopped.

    The copying is done by replication workers: this only marks, waits and forgets.

    Args:
        poll_ms: how often the metadata of all ledgers is looked at.
    """

    def __init__(
        self,
        store: MetadataStore,
        bookie_id: str,
        clock: Clock,
        *,
        ledgers_root: str = LEDGERS_ROOT,
        poll_ms: int = 5_000,
    ) -> None:
        self._bookie_id = bookie_id
        self._ledgers = LedgerRegistry(store, ledgers_root)
        self._bookies = BookieRegistry(store, ledgers_root)
        self._cookies = CookieRegistry(store, ledgers_root)
        self._marked = Underreplication(store, clock, ledgers_root)
        self._poll_ms = poll_ms

    async def run(self, progress: Callable[[int], None] = lambda _: None) -> None:
        """Return when no ledger needs the bookie and its cookie is gone.

        May be called again after any failure or interruption.

        Args:
            progress: told, each time that was looked, how many ledgers still need it.

        Raises:
            DecommissionError: it is up, or the cluster's repair is switched off.
            MetadataError
        """
        await self._marked.prepare()
        while True:
            await self._check()
            left = await self._ledgers_left()
            progress(len(left))
            if not left:
                break
            await all_of(left, self._mark)
            await asyncio.sleep(self._poll_ms / 1000)
        await self._check()
        with suppress(NoNodeError):  # a bookie of long ago, or a second call
            await self._cookies.delete(self._bookie_id)

    async def _check(self) -> None:
        bookie_id = self._bookie_id
        if bookie_id in await self._bookies.registered():
            raise DecommissionError(f"bookie {bookie_id} is running: stop it first")
        if not await self._marked.enabled():
            raise DecommissionError(
                "the cluster's repair is switched off (underreplication/disable): switch it on"
            )

    async def _ledgers_left(self) -> list[int]:
        left: list[int] = []
        async for part in all_ledgers(self._ledgers):
            left += [e for e, metadata in part if self._bookie_id in bookies_needed(metadata)]
        return left

    async def _mark(self, ledger_id: int) -> None:
        found = await self._marked.read(ledger_id)
        if found is None or self._bookie_id not in found[0].replicas:
            await self._marked.mark(ledger_id, [self._bookie_id])
