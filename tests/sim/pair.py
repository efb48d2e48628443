"""Two brokers over shared bookies and a metadata store that each reaches over links of its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from magnetar_broker.config import BrokerConfig
from magnetar_broker.ownership.cluster_member import ClusterMember, ClusterOptions
from magnetar_broker.service import BrokerDeps, BrokerService
from magnetar_broker.topic_name import TopicName
from magnetar_ledger.bookie_pool import LocalBookies
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.managed import (
    EntryCacheManager,
    LedgerPolicies,
    ManagedLedger,
    ManagedLedgerDeps,
)
from magnetar_ledger.placement import RandomPlacement
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.managed_ledger_info import ManagedLedgerRegistry
from magnetar_metadata.memory import MemoryStore
from magnetar_metadata.session_bound import SessionBoundStore
from magnetar_metadata.sim_session import SessionShape, SimMetadata, SimSession
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.bookie import AddSink, ReadSink, Status
from magnetar_proto.payloads import parse_metadata
from magnetar_runtime import sim
from magnetar_runtime.scope import TaskScope

from tests.broker.client import send_frame
from tests.ledger.fake_bookie import FakeBookie
from tests.ledger.managed.harness import QUICK
from tests.sim.wire_client import WireClient

TOPIC = "persistent://public/default/shared"
NAME = TopicName.parse(TOPIC)
SESSION_S = 6.0
OPTIONS = ClusterOptions(session_timeout_ms=int(SESSION_S * 1000), report_interval_ms=1_000)


class LinkedBookie:
    """A bookie as one broker reaches it: while that is cut off, calls end as unreachable ones."""

    def __init__(self, bookie: FakeBookie) -> None:
        self._bookie = bookie
        self.cut = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bookie, name)

    def add(
        self,
        ledger_id: int,
        entry_ids: Sequence[int],
        master_key: bytes,
        headers: Sequence[bytes],
        payloads: Sequence[bytes],
        flags: int,
        sink: AddSink,
    ) -> None:
        if not self.cut:
            self._bookie.add(ledger_id, entry_ids, master_key, headers, payloads, flags, sink)
            return
        loop = asyncio.get_running_loop()
        loop.call_soon(sink.adds_completed, list(entry_ids), Status.UNAVAILABLE)

    def read(
        self,
        ledger_id: int,
        first_entry_id: int,
        max_entries: int,
        max_bytes: int,
        flags: int,
        master_key: bytes,
        sink: ReadSink,
        context: int,
    ) -> None:
        if not self.cut:
            self._bookie.read(
                ledger_id, first_entry_id, max_entries, max_bytes, flags, master_key, sink, context
            )
            return
        loop = asyncio.get_running_loop()
        loop.call_soon(sink.read_completed, context, Status.UNAVAILABLE, first_entry_id, ())


class SimBroker:
    """One of them, on a node of its own."""

    def __init__(self, pair: Pair, name: str) -> None:
        self.name = name
        self.node = pair.world.node(name)
        self.bookies = {each.name: LinkedBookie(each) for each in pair.bookies}
        shape = SessionShape(timeout_s=SESSION_S)
        rng = pair.world.rng(f"session {name}")
        self.session: SimSession = pair.metadata.session(self.node.network, rng, shape)
        self.scope = TaskScope()
        client = LedgerClient(
            LedgerRegistry(self.session),
            LocalBookies(self.bookies),  # type: ignore[arg-type]
            RandomPlacement(pair.writable),
            random.Random(1),
            self.node.clock,
            self.scope,
        )
        cache = EntryCacheManager()

        async def open_ledger(
            name: str, *, create: bool, policies: LedgerPolicies | None = None
        ) -> ManagedLedger:
            registry = ManagedLedgerRegistry(SessionBoundStore(self.session))
            deps = ManagedLedgerDeps(client, registry, self.node.clock, QUICK, cache)
            return await ManagedLedger.open(name, deps, create, policies)

        config = BrokerConfig(advertised_host=name)
        deps = BrokerDeps(self.session, open_ledger, self.node.clock, cluster=OPTIONS)
        self.service = BrokerService(config, deps, self.scope)

    @property
    def cluster(self) -> ClusterMember:
        assert self.service.cluster is not None
        return self.service.cluster

    async def start(self) -> None:
        await self.service.start()
        await self.node.network.listen(self.service.new_connection, self.name, 6650)
        await self.cluster.start()

    async def take(self) -> None:
        """Be the owner of the topic."""
        found = await self.cluster.ownership.look_up(NAME, authoritative=True, listener="")
        assert found.here

    async def stop(self) -> None:
        await self.service.stop()
        await self.session.close()
        await self.scope.close()


class Talker:
    """A producer and a Shared consumer of the topic on one connection, and what they hear."""

    def __init__(self, client: WireClient) -> None:
        self.client = client
        self.sent = 0
        self.receipts: list[int] = []
        self.errors: list[Any] = []
        self.delivered: list[tuple[str, api.MessageIdData]] = []
        self.closed: set[str] = set()
        client.on_command = self._hear

    @classmethod
    async def open(cls, pair: Pair, broker: SimBroker, name: str) -> Talker:
        """Attached, with permits for a thousand messages."""
        network = pair.world.node(name).network
        talker = cls(await WireClient.open(network, broker.name, 6650))
        await talker.client.ask(api.CommandProducer, topic=TOPIC, producer_id=1, producer_name=name)
        await talker.client.ask(
            api.CommandSubscribe,
            topic=TOPIC,
            subscription="s",
            subType=api.CommandSubscribe.Shared,
            consumer_id=1,
            initialPosition=api.CommandSubscribe.Earliest,
        )
        talker.client.send(api.CommandFlow(consumer_id=1, messagePermits=1000))
        return talker

    def publish(self, *texts: str) -> None:
        for text in texts:
            self.client.write(
                send_frame(api.CommandSend(producer_id=1, sequence_id=self.sent), text.encode())
            )
            self.sent += 1

    def ack(self, index: int) -> None:
        ack = api.CommandAck(consumer_id=1, ack_type=api.CommandAck.Individual)
        ack.message_id.add().CopyFrom(self.delivered[index][1])
        self.client.send(ack)

    @property
    def texts(self) -> list[str]:
        return [text for text, _ in self.delivered]

    def _hear(self, command: Any, payload: bytes | None) -> None:
        if isinstance(command, api.CommandSendReceipt):
            self.receipts.append(command.sequence_id)
        elif isinstance(command, api.CommandSendError):
            self.errors.append(command)
        elif isinstance(command, api.CommandMessage):
            assert payload is not None
            _, start = parse_metadata(payload)
            self.delivered.append((payload[start:].decode(), command.message_id))
        elif isinstance(command, api.CommandCloseProducer | api.CommandCloseConsumer):
            self.closed.add(type(command).__name__)


class Pair:
    """Attributes:
    one, two: The brokers; the first serves the topic.
    """

    def __init__(self, world: sim.Simulation) -> None:
        self.world = world
        self.store = MemoryStore(world.node("metadata").clock)
        host = world.network.host("metadata")
        self.metadata = SimMetadata(world.network, host, self.store)
        self._host = host
        self.bookies = [FakeBookie(f"bookie-{number}") for number in range(3)]
        self.one, self.two = SimBroker(self, "one"), SimBroker(self, "two")

    async def writable(self) -> list[str]:
        return [bookie.name for bookie in self.bookies]

    def cut_off(self, broker: SimBroker) -> None:
        """From the metadata store."""
        self.world.network.partition([broker.node.network], [self._host])


def run(main: Callable[[Pair], Coroutine[Any, Any, None]], seeds: int = 3) -> None:
    """Run a story with two brokers, by several seeds."""
    for seed in range(seeds):

        async def begin(world: sim.Simulation) -> None:
            pair = Pair(world)
            await pair.one.start()
            await pair.two.start()
            await pair.one.take()
            await main(pair)
            world.network.heal()
            await pair.one.stop()
            await pair.two.stop()

        sim.run(begin, seed=seed)


async def until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)
