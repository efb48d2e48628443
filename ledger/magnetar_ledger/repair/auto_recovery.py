"""Auto-recovery: a candidate for the auditor and a replication worker in one process."""

import asyncio
import logging

from magnetar_metadata.errors import MalformedRecordError, MetadataError
from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.store import MetadataStore
from magnetar_metadata.underreplication import Underreplication
from magnetar_runtime.scope import TaskScope

from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.repair.auditor import Auditor
from magnetar_ledger.repair.config import RepairConfig
from magnetar_ledger.repair.worker import ReplicationWorker

log = logging.getLogger(__name__)


class AutoRecovery:
    """What BookKeeper's process of this name does.

    Args:
        bookie_id: by which people find this process in votes and locks.
    """

    def __init__(
        self,
        store: MetadataStore,
        tools: ClientTools,
        bookie_id: str,
        config: RepairConfig | None = None,
        ledgers_root: str = LEDGERS_ROOT,
    ) -> None:
        self._config = config = config or RepairConfig()
        self._marked = Underreplication(store, tools.clock, ledgers_root)
        self.auditor = Auditor(store, tools, bookie_id, config, ledgers_root)
        self.worker = ReplicationWorker(store, tools, bookie_id, config, ledgers_root)

    async def run(self) -> None:
        """Work until cancelled.

        Raises:
            MalformedRecordError: another layout of BookKeeper's than is known here.
        """
        await self._prepare()
        async with TaskScope() as scope:
            scope.spawn(self.auditor.run(), name="auditor")
            scope.spawn(self.worker.run(), name="replication worker")

    async def _prepare(self) -> None:
        while True:
            try:
                await self._marked.prepare()
            except MalformedRecordError:
                raise
            except MetadataError as error:
                log.warning("auto-recovery cannot begin now: %s", error)
                await asyncio.sleep(self._config.retry_pause_ms / 1000)
            else:
                return
