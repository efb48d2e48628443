"""After damage, before a bookie serves: ledgers whose fences may have been lost are fenced again.

Scenario: ack quorum 2 of A, B, C. Recovery fences A and B, which is enough, and closes the ledger.
Then A loses its journal, and the fence with it. The old writer, which heard of nothing, adds an
entry: A and C acknowledge, and it is confirmed behind the end of a closed ledger. Whether somebody
recovered A cannot know; so no writer goes on here in a ledger that A may have forgotten part of.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence

from magnetar_ledger.bookie_calls import start_read
from magnetar_ledger.digest import master_key
from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.ledger_metadata import LedgerMetadata
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.together import all_of
from magnetar_proto.bookie import FENCE, HIGH_PRIORITY, LAST_ENTRY, Status
from magnetar_storage.engine import BookieEngine
from magnetar_storage.errors import OutOfUseError

log = logging.getLogger(__name__)

_FENCE_TIMEOUT_MS = 60_000


async def fence_doubtful(bookie: BookieEngine, registry: LedgerRegistry) -> int:
    """Fence what is in doubt and may have a writer; returns how many ledgers.

    Closed ones too: metadata says so, and the bookie may have forgotten.

    Raises:
        MetadataError: nobody knows which they are.
        OutOfUseError: the disk does not take the fences.
    """
    if not bookie.damages:
        return 0

    async def fence(ledger_id: int) -> bool:
        try:
            found = await registry.read(ledger_id)
        except MalformedRecordError as error:
            log.error("ledger %d may have lost its fence: %s", ledger_id, error)
            return False
        if found is None or bookie.bookie_id not in found[0].segments[-1].bookies:
            return False
        await _fence(bookie, ledger_id, found[0])
        return True

    fenced = sum(await all_of(_doubtful(bookie, await registry.list_ids()), fence))
    if fenced:
        log.warning("%d ledgers are fenced: damage may have taken fences that they had", fenced)
    return fenced


def _doubtful(bookie: BookieEngine, ledger_ids: Iterable[int]) -> list[int]:
    """Those that the bookie may have forgotten something of."""
    found: list[int] = []
    for ledger_id in ledger_ids:
        engine = bookie.engine_of(ledger_id)
        if bookie.uncertain if engine is None else engine.doubts(ledger_id):
            found.append(ledger_id)
    return found


async def _fence(bookie: BookieEngine, ledger_id: int, metadata: LedgerMetadata) -> None:
    ended: asyncio.Future[Status] = asyncio.get_running_loop().create_future()

    def done(status: Status, _entries: Sequence[bytes]) -> None:
        if not ended.done():
            ended.set_result(status)

    start_read(
        bookie,
        ledger_id,
        LAST_ENTRY,
        1,
        0,
        flags=FENCE | HIGH_PRIORITY,
        master_key=master_key(metadata.password),
        timeout_ms=_FENCE_TIMEOUT_MS,
        done=done,
    )
    status = await ended
    engine = bookie.engine_of(ledger_id)
    record = None if engine is None else engine.records.get(ledger_id)
    # Not the status: the fence is durable also where the last entry cannot be read.
    if record is not None and record.fence_durable:
        return
    if status is not Status.UNAUTHORIZED:
        raise OutOfUseError(f"ledger {ledger_id} cannot be fenced after damage: {status.name}")
    log.error("ledger %d has another key here than its password gives: not fenced", ledger_id)
