"""The metadata of all ledgers, in parts."""

import logging
from collections.abc import AsyncIterator, Sequence

from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.ledger_metadata import LedgerMetadata
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.together import all_of, in_parts

log = logging.getLogger(__name__)

Ledgers = Sequence[tuple[int, LedgerMetadata]]


async def all_ledgers(registry: LedgerRegistry) -> AsyncIterator[Ledgers]:
    """Ids with metadata, ascending. Ledgers that are deleted meanwhile are left out, and such
    whose metadata cannot be read for what stands there; those are told in the log.

    Raises:
        MetadataError: the store cannot say; what came before is not all.
    """

    async def read(ledger_id: int) -> tuple[int, LedgerMetadata] | None:
        try:
            found = await registry.read(ledger_id)
        except MalformedRecordError as error:
            log.error("ledger %d cannot be looked after: %s", ledger_id, error)
            return None
        return None if found is None else (ledger_id, found[0])

    for part in in_parts(await registry.list_ids()):
        yield [ledger for ledger in await all_of(part, read) if ledger is not None]
