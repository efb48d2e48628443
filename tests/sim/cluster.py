"""A broker over bookies and a metadata store that lose nothing."""

import asyncio
from random import Random

from magnetar_broker.config import BrokerConfig
from magnetar_broker.service import BrokerDeps, BrokerService
from magnetar_ledger.managed import EntryCacheManager, LedgerPolicies, ManagedLedger
from magnetar_runtime import sim
from magnetar_runtime.scope import TaskScope

from tests.ledger.fake_bookie import Call, FakeBookie
from tests.ledger.managed.harness import QUICK, World

BOOKIE_MAX_S = 0.01
"""A bookie takes up to so long for what it is asked."""


class TardyBookie(FakeBookie):
    """Takes a drawn time for what it does."""

    def __init__(self, name: str, rng: Random) -> None:
        super().__init__(name)
        self._rng = rng

    def _take(self, call: Call) -> None:
        self.pending.append(call)
        self.calls.append(call)
        if not self._scheduled:
            self._scheduled = True
            delay_s = self._rng.random() * BOOKIE_MAX_S
            asyncio.get_running_loop().call_later(delay_s, self.run_all)


class Cluster:
    """Three bookies and a store without a network, and one broker at a time on the node `broker`.

    A broker that is killed loses its tasks and its network; what it had sent to bookies still
    happens, and what it believes it may still do: the next one must fence it.
    """

    def __init__(self, world: sim.Simulation) -> None:
        self._node = world.node("broker")
        self._stands_on = World(bookies=0)
        self._stands_on.add_bookies(
            [TardyBookie(f"b{n}", world.rng(f"bookie {n}")) for n in range(3)]
        )
        self._scope = TaskScope()
        self.brokers = 0

    async def start(self) -> None:
        """Begin a broker, with caches and handles of its own."""
        self.brokers += 1
        self._scope = self._stands_on.scope = TaskScope()
        self._stands_on.cache = EntryCacheManager()
        deps = self._stands_on.deps(QUICK, ensemble_size=3, write_quorum=3, ack_quorum=2)

        async def open_ledger(
            name: str, *, create: bool, policies: LedgerPolicies | None = None
        ) -> ManagedLedger:
            return await ManagedLedger.open(name, deps, create, policies)

        broker_deps = BrokerDeps(self._stands_on.store, open_ledger, self._node.clock)
        self.service = BrokerService(BrokerConfig(), broker_deps, self._scope)
        await self.service.start()
        await self._node.network.listen(self.service.new_connection, "broker", 6650)

    async def kill(self, *, silently: bool) -> None:
        """End the broker as `kill -9` does, or as a power cut."""
        self._node.network.fail(silently=silently)
        await self._scope.close()

    async def restart(self) -> None:
        """Begin the next one."""
        self._node.network.restart()
        await self.start()

    async def stop(self) -> None:
        await self.service.stop()
        await self._scope.close()
