"""The ledger client: makes, opens and deletes ledgers."""

import asyncio
import random
from collections.abc import Mapping

from magnetar_metadata.errors import (
    LedgerExistsError,
    MetadataError,
    NoNodeError,
    UnknownOutcomeError,
)
from magnetar_metadata.ledger_metadata import DigestType, LedgerMetadata, Segment
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_runtime.clock import Clock
from magnetar_runtime.scope import TaskScope

from magnetar_ledger.bookie_health import BookieHealth
from magnetar_ledger.bookie_pool import BookiePool
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.deferred_writer import DeferredWriter
from magnetar_ledger.digest import EntryDigest
from magnetar_ledger.errors import (
    LedgerMetadataError,
    NoSuchLedgerError,
    UnauthorizedLedgerError,
)
from magnetar_ledger.metadata_update import VersionedMetadata, read_metadata
from magnetar_ledger.placement import Placement
from magnetar_ledger.reader import LedgerReader
from magnetar_ledger.recovery import open_view
from magnetar_ledger.sync_deferrer import check_deferrers
from magnetar_ledger.writer import LedgerWriter

_ID_ATTEMPTS = 3


class LedgerClient:
    """Ledgers over the bookies of a cluster. Its tasks (ensemble changes) live in `scope`."""

    def __init__(
        self,
        registry: LedgerRegistry,
        bookies: BookiePool,
        placement: Placement,
        rng: random.Random,
        clock: Clock,
        scope: TaskScope,
        config: LedgerClientConfig | None = None,
    ) -> None:
        config = config or LedgerClientConfig()
        self._tools = ClientTools(
            registry, bookies, placement, rng, clock, scope, config, BookieHealth(config)
        )

    @staticmethod
    def with_tools(tools: ClientTools) -> "LedgerClient":
        """A client that shares connections and what is known of bookies."""
        client = LedgerClient.__new__(LedgerClient)
        client._tools = tools
        return client

    async def create(
        self,
        *,
        ensemble_size: int,
        write_quorum: int,
        ack_quorum: int,
        digest_type: DigestType = DigestType.CRC32C,
        password: bytes = b"",
        custom: Mapping[str, bytes] | None = None,
        ledger_id: int | None = None,
        deferred_sync: bool = False,
    ) -> LedgerWriter:
        """Make a ledger. Its metadata stands before any entry is sent: bookies collect the
        entries of ledgers that have none.

        Args:
            ledger_id: from `reserve_id`; else it is chosen here.
            deferred_sync: the sink is told of entries before bookies have synced them. They are
                durable, seen by readers and kept by `close` only behind `LedgerWriter.force`.

        Raises:
            NotEnoughBookiesError: also if syncs cannot be deferred over this protocol.
            LedgerMetadataError
        """
        bookies = await self._tools.choose(ensemble_size, ())
        if deferred_sync:
            check_deferrers(map(self._tools.bookies.bookie, bookies))
        metadata = LedgerMetadata(
            ensemble_size=ensemble_size,
            write_quorum=write_quorum,
            ack_quorum=ack_quorum,
            segments=(Segment(0, bookies),),
            digest_type=digest_type,
            password=password,
            created_ms=self._tools.clock.wall_ms(),
            custom=dict(custom or {}),
            creation_token=self._tools.rng.randrange(1, 2**63),
        )
        ledger_id, version = await self._create_metadata(metadata, ledger_id)
        kind = DeferredWriter if deferred_sync else LedgerWriter
        return kind(ledger_id, VersionedMetadata(metadata, version), self._tools)

    async def reserve_id(self) -> int:
        """An id for `create`, so that it can be noted before the ledger is there.

        Raises:
            LedgerMetadataError
        """
        try:
            return await self._tools.registry.new_ledger_id()
        except MetadataError as error:
            raise LedgerMetadataError(f"a new ledger id: {error}") from error

    async def open(self, ledger_id: int, *, password: bytes = b"", recover: bool) -> LedgerReader:
        """Open a ledger for reading.

        Args:
            recover: fence its writer, if it is not closed, and close it at the last entry that may
                have been confirmed. Else the writer goes on, and the reader sees what was known as
                confirmed when it was opened.

        Raises:
            NoSuchLedgerError, UnauthorizedLedgerError, NotEnoughBookiesError, LedgerMetadataError
        """
        known = await read_metadata(self._tools.registry, ledger_id)
        if known.metadata.password != password:
            raise UnauthorizedLedgerError(f"ledger {ledger_id} has another password")
        digest = EntryDigest.of(known.metadata.digest_type, password)
        view = await open_view(ledger_id, known, digest, self._tools, recover=recover)
        return LedgerReader(ledger_id, view, digest, self._tools)

    async def delete(self, ledger_id: int) -> None:
        """Forget a ledger; bookies collect its entries afterwards.

        Raises:
            NoSuchLedgerError, LedgerMetadataError
        """
        config, unknown = self._tools.config, 0
        while True:
            try:
                await self._tools.registry.delete(ledger_id)
                return
            except UnknownOutcomeError as error:
                unknown += 1
                if unknown == config.metadata_attempts:
                    raise LedgerMetadataError(f"ledger {ledger_id}: {error}") from error
                await asyncio.sleep(config.metadata_retry_pause_ms / 1000)
            except NoNodeError as error:
                if unknown:
                    return  # by us, or by somebody else: it is gone
                raise NoSuchLedgerError(f"ledger {ledger_id}") from error
            except MetadataError as error:
                raise LedgerMetadataError(f"ledger {ledger_id}: {error}") from error

    async def _create_metadata(
        self, metadata: LedgerMetadata, reserved_id: int | None
    ) -> tuple[int, int]:
        failure: MetadataError | None = None
        for _ in range(_ID_ATTEMPTS if reserved_id is None else 1):
            try:
                ledger_id = reserved_id
                if ledger_id is None:
                    ledger_id = await self._tools.registry.new_ledger_id()
                return ledger_id, await self._tools.registry.create(ledger_id, metadata)
            except LedgerExistsError as error:
                failure = error  # somebody chose this id by himself: take the next
            except MetadataError as error:
                raise LedgerMetadataError(str(error)) from error
        raise LedgerMetadataError(str(failure)) from failure
