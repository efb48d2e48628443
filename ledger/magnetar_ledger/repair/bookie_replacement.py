"""Writing into a ledger's metadata that a new bookie has a lost one's entries."""

import asyncio

from magnetar_metadata.errors import (
    BadVersionError,
    MetadataError,
    NoNodeError,
    SessionExpiredError,
    UnknownOutcomeError,
)
from magnetar_metadata.ledger_metadata import LedgerMetadata
from magnetar_metadata.ledger_paths import LEDGERS_ROOT, ledger_path
from magnetar_metadata.repair_locks import RepairLock, RepairLocks
from magnetar_metadata.store import MetadataStore, SetValue

from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.errors import LedgerMetadataError, RepairLockLostError
from magnetar_ledger.metadata_update import VersionedMetadata, read_metadata
from magnetar_ledger.repair.fragments import Fragment, with_bookie


class BookieReplacement:
    """Compare-and-set on a ledger's metadata, bound to the lock on its repair."""

    def __init__(
        self,
        store: MetadataStore,
        locks: RepairLocks,
        tools: ClientTools,
        ledgers_root: str = LEDGERS_ROOT,
    ) -> None:
        self._store = store
        self._locks = locks
        self._tools = tools
        self._ledgers_root = ledgers_root

    async def write(
        self, lock: RepairLock, known: VersionedMetadata, fragment: Fragment, bookie_id: str
    ) -> VersionedMetadata:
        """Put the bookie into the fragment's place; it has all entries by now.

        If somebody else has changed the place meanwhile, his change stays. Returns what stands in
        metadata afterwards.

        Raises:
            RepairLockLostError: it may have been written or not; the entries are where it says.
            NoSuchLedgerError, LedgerMetadataError
        """
        config, unknown = self._tools.config, 0
        while (wanted := with_bookie(known.metadata, fragment, bookie_id)) is not None:
            try:
                return await self._try(lock, wanted, known.version)
            except BadVersionError:
                pass  # a writer's next segment, or another repair: look again
            except NoNodeError:
                await read_metadata(self._tools.registry, lock.ledger_id)  # or the ledger is gone
                raise _lost(lock) from None
            except SessionExpiredError as error:
                raise _lost(lock) from error
            except UnknownOutcomeError as error:
                unknown += 1
                if unknown == config.metadata_attempts:
                    raise LedgerMetadataError(f"ledger {lock.ledger_id}: {error}") from error
                await asyncio.sleep(config.metadata_retry_pause_ms / 1000)
            except MetadataError as error:
                raise LedgerMetadataError(f"ledger {lock.ledger_id}: {error}") from error
            known = await read_metadata(self._tools.registry, lock.ledger_id)
        return known

    async def _try(
        self, lock: RepairLock, wanted: LedgerMetadata, version: int
    ) -> VersionedMetadata:
        if not self._locks.held(lock):
            raise _lost(lock)
        path = ledger_path(lock.ledger_id, self._ledgers_root)
        step = SetValue(path, wanted.encode(), version)
        await self._store.multi(self._locks.with_lock(lock, step))
        return VersionedMetadata(wanted, version + 1)


def _lost(lock: RepairLock) -> RepairLockLostError:
    return RepairLockLostError(f"ledger {lock.ledger_id}: the lock of its repair is gone")
