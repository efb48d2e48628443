"""A cluster whose bookies register, die and come back, with workers and an auditor on it."""

from collections.abc import Sequence
from dataclasses import replace

from magnetar_ledger.client import LedgerClient
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.placement import RandomPlacement
from magnetar_ledger.repair.auditor import Auditor
from magnetar_ledger.repair.config import RepairConfig
from magnetar_ledger.repair.fragments import known_fragments
from magnetar_ledger.repair.worker import ReplicationWorker
from magnetar_metadata.bookie_registry import BookieRegistry, BookieServiceInfo
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.store import MetadataStore
from magnetar_metadata.underreplication import Underreplication
from magnetar_proto.bookie import Status

from tests.ledger.cluster import Cluster, payload
from tests.ledger.fake_bookie import FakeBookie
from tests.ledger.virtual_time import turns, until

CONFIG = RepairConfig(settle_ms=1_000, retry_pause_ms=1_000, open_ledger_grace_ms=30_000)


class RepairWorld(Cluster):
    """Bookies `b0`, `b1`, ... that are registered; each has a session of its own."""

    def __init__(self, bookies: int = 4) -> None:
        super().__init__(bookies, LedgerClientConfig(quarantine_errors=0))
        self.sessions: dict[str, MemoryStore] = {}
        self._clients = 0
        self.there = BookieRegistry(self.store)
        self.marked = Underreplication(self.store, self.clock)

    async def begin(self) -> "RepairWorld":
        await self.marked.prepare()
        for name in self.bookies:
            await self.register(name)
        return self

    async def register(self, name: str, *, read_only: bool = False) -> None:
        if name not in self.bookies:
            self.bookies[name] = FakeBookie(name)
        self.sessions[name] = session = self.store.new_session()
        await BookieRegistry(session).register(name, BookieServiceInfo(), read_only)

    async def unregister(self, name: str) -> None:
        await self.sessions.pop(name).close()

    async def kill(self, name: str) -> None:
        """It does not answer any more, and its session has ended."""
        self.bookies[name].answer = Status.UNAVAILABLE
        await self.unregister(name)

    async def revive(self, name: str) -> None:
        self.bookies[name].answer = None
        await self.register(name)

    def tools(self, seed: int = 1, store: MetadataStore | None = None) -> ClientTools:
        store = store or self.store
        placement = RandomPlacement(BookieRegistry(store).writable)
        return replace(super().tools(seed), registry=LedgerRegistry(store), placement=placement)

    def client(self, seed: int = 0) -> LedgerClient:
        """A client that chooses other bookies than the one before."""
        self._clients += 1
        return super().client(seed or self._clients)

    def worker(
        self, config: RepairConfig = CONFIG, *, seed: int = 1, store: MetadataStore | None = None
    ) -> ReplicationWorker:
        store = store or self.store.new_session()
        return ReplicationWorker(store, self.tools(seed, store), f"worker {seed}", config)

    def auditor(
        self,
        config: RepairConfig = CONFIG,
        *,
        name: str = "auditor",
        store: MetadataStore | None = None,
    ) -> Auditor:
        store = store or self.store.new_session()
        return Auditor(store, self.tools(store=store), name, config)

    async def written(
        self, count: int, sizes: tuple[int, int, int] = (3, 3, 2), *, close: bool = True
    ) -> int:
        """A ledger with so many entries; its id."""
        writer, sink = await self.writer(*sizes)
        writer.add_all([payload(number) for number in range(count)]) if count else None
        await until(lambda: sink.count == count)
        await turns()  # the last replicas
        if close:
            await writer.close()
        return writer.ledger_id

    async def ensemble_of(self, ledger_id: int) -> Sequence[str]:
        return (await self.metadata(ledger_id)).segments[-1].bookies

    async def lacking(self, ledger_id: int) -> list[tuple[str, int]]:
        """Entries that stand nowhere where metadata says that they stand."""
        metadata = await self.metadata(ledger_id)
        return [
            (fragment.bookie_id, entry_id)
            for fragment in known_fragments(metadata)
            for entry_id in fragment.entry_ids()
            if self.bookies[fragment.bookie_id].answer is not None
            or entry_id not in self.bookies[fragment.bookie_id].entries.get(ledger_id, {})
        ]
