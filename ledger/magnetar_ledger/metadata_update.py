"""Compare-and-set on a ledger's metadata: one loop for ensemble change, recovery and close."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from magnetar_metadata.errors import (
    BadVersionError,
    MetadataError,
    NoNodeError,
    UnknownOutcomeError,
)
from magnetar_metadata.ledger_metadata import LedgerMetadata
from magnetar_metadata.ledger_registry import LedgerRegistry

from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.errors import LedgerMetadataError, NoSuchLedgerError


class VersionedMetadata(NamedTuple):
    """Metadata as it was read or written, with its node's version."""

    metadata: LedgerMetadata
    version: int


Change = Callable[[LedgerMetadata], LedgerMetadata | None]
"""Says from what stands there what shall; None if it stands there already (also because a write
of unknown outcome had succeeded). Raises a LedgerError to give up."""


async def read_metadata(registry: LedgerRegistry, ledger_id: int) -> VersionedMetadata:
    """Raises NoSuchLedgerError, LedgerMetadataError."""
    try:
        found = await registry.read(ledger_id)
    except MetadataError as error:
        raise LedgerMetadataError(f"ledger {ledger_id}: {error}") from error
    if found is None:
        raise NoSuchLedgerError(f"ledger {ledger_id}")
    return VersionedMetadata(*found)


async def update_metadata(
    registry: LedgerRegistry,
    ledger_id: int,
    known: VersionedMetadata,
    change: Change,
    config: LedgerClientConfig,
) -> VersionedMetadata:
    """Apply a change to the newest metadata, beginning with the version that is known.

    Raises:
        NoSuchLedgerError: the ledger was deleted.
        LedgerMetadataError: the store refused, or the outcome stays unknown.
        LedgerError: whatever `change` raises.
    """
    unknown_outcomes = 0
    while (wanted := change(known.metadata)) is not None:
        try:
            version = await registry.write(ledger_id, wanted, known.version)
            return VersionedMetadata(wanted, version)
        except BadVersionError:
            pass  # somebody else wrote: look again
        except UnknownOutcomeError as error:
            unknown_outcomes += 1
            if unknown_outcomes == config.metadata_attempts:
                raise LedgerMetadataError(f"ledger {ledger_id}: {error}") from error
            await asyncio.sleep(config.metadata_retry_pause_ms / 1000)
        except NoNodeError as error:
            raise NoSuchLedgerError(f"ledger {ledger_id} was deleted") from error
        except MetadataError as error:
            raise LedgerMetadataError(f"ledger {ledger_id}: {error}") from error
        known = await read_metadata(registry, ledger_id)
    return known
