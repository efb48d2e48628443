"""Where a bookie gets back what it has lost: a seam, as replicas are a client's business."""

from collections.abc import Sequence
from typing import Protocol

from magnetar_metadata.ledger_metadata import LedgerMetadata

from magnetar_storage.scrub.id_runs import IdRun


class Mender(Protocol):
    """Brings entries back from the other bookies of a ledger."""

    async def mend(self, ledger_id: int, metadata: LedgerMetadata, runs: Sequence[IdRun]) -> int:
        """Add entries of these ids to this bookie again; returns how many were added.

        Those that no replica gives now are left out. Raises nothing for them.
        """
