"""A ledger client over a memory store and fake bookies."""

import random
from collections.abc import Sequence
from dataclasses import replace

from magnetar_ledger.bookie_health import BookieHealth
from magnetar_ledger.bookie_pool import LocalBookies
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.placement import RandomPlacement
from magnetar_ledger.writer import LedgerWriter
from magnetar_metadata.errors import UnknownOutcomeError
from magnetar_metadata.ledger_metadata import DigestType, LedgerMetadata
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.store import Stat
from magnetar_runtime.scope import TaskScope
from magnetar_runtime.sim import SimClock

from tests.ledger.fake_bookie import FakeBookie
from tests.ledger.virtual_time import virtual_clock

PASSWORD = b"secret"


class Confirmed:
    """A WriterSink that remembers, and checks the order."""

    def __init__(self, first_entry_id: int = 0) -> None:
        self.count = first_entry_id
        self.batches: list[int] = []
        self.error: LedgerError | None = None

    def entries_confirmed(self, first_entry_id: int, count: int) -> None:
        assert self.error is None
        assert first_entry_id == self.count
        assert count > 0
        self.count += count
        self.batches.append(count)

    def writer_failed(self, error: LedgerError) -> None:
        assert self.error is None
        self.error = error


class LossyStore(MemoryStore):
    """Loses the answers of sets as told: each of `losses` is "before" or "after" the set."""

    def __init__(self, clock: SimClock) -> None:
        super().__init__(clock)
        self.losses: list[str] = []
        self.sets = 0

    async def set(self, path: str, value: bytes, version: int = -1) -> Stat:
        loss = self.losses.pop(0) if self.losses else ""
        if loss == "before":
            raise UnknownOutcomeError(path)
        self.sets += 1
        stat = await super().set(path, value, version)
        if loss == "after":
            raise UnknownOutcomeError(path)
        return stat


class Cluster:
    """Bookies `b0`, `b1`, ... and one metadata store."""

    def __init__(self, bookies: int = 3, config: LedgerClientConfig | None = None) -> None:
        self.clock = virtual_clock()
        self.store = LossyStore(self.clock)
        self.registry = LedgerRegistry(self.store)
        self.bookies = {f"b{i}": FakeBookie(f"b{i}") for i in range(bookies)}
        self.writable = list(self.bookies)
        self.scope = TaskScope()
        self.config = config or LedgerClientConfig()

    async def _writable(self) -> Sequence[str]:
        return self.writable

    def tools(self, seed: int = 1) -> ClientTools:
        return ClientTools(
            self.registry,
            LocalBookies(self.bookies),
            RandomPlacement(self._writable),
            random.Random(seed),
            self.clock,
            self.scope,
            self.config,
            BookieHealth(self.config),
        )

    def client(self, seed: int = 1) -> LedgerClient:
        tools = self.tools(seed)
        return LedgerClient(
            tools.registry,
            tools.bookies,
            tools.placement,
            tools.rng,
            tools.clock,
            tools.scope,
            tools.config,
        )

    async def writer(
        self,
        ensemble: int = 3,
        write: int = 3,
        ack: int = 2,
        digest: DigestType = DigestType.CRC32C,
    ) -> tuple[LedgerWriter, Confirmed]:
        writer = await self.client().create(
            ensemble_size=ensemble,
            write_quorum=write,
            ack_quorum=ack,
            digest_type=digest,
            password=PASSWORD,
        )
        writer.sink = sink = Confirmed()
        return writer, sink

    async def metadata(self, ledger_id: int) -> LedgerMetadata:
        found = await self.registry.read(ledger_id)
        assert found is not None
        return found[0]

    async def meddle(self, ledger_id: int, **changes: object) -> None:
        """Change metadata as another client would."""
        found = await self.registry.read(ledger_id)
        assert found is not None
        metadata: LedgerMetadata = replace(found[0], **changes)  # type: ignore[arg-type]
        await self.registry.write(ledger_id, metadata, found[1])

    def hold(self, held: bool = True) -> None:
        for bookie in self.bookies.values():
            bookie.held = held

    def ensemble(self, writer: LedgerWriter) -> list[FakeBookie]:
        return [self.bookies[b] for b in writer.metadata.segments[-1].bookies]


def payload(number: int) -> bytes:
    return b"entry %d" % number
