"""The contract of the bookie interface over the wire, in both versions."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop
from magnetar_ledger.network.config import BookieNetworkConfig
from magnetar_ledger.network.network_bookie import NetworkBookie
from magnetar_proto.bookie import Status
from magnetar_runtime.network import SystemNetwork
from magnetar_runtime.scope import TaskScope
from magnetar_storage.service.limits import ServiceLimits
from magnetar_storage.service.server import BookieServer

from tests.ledger.network.wire_server import WireServer
from tests.proto.bookie_contract import (
    KEY,
    LEDGER,
    MAX_BYTES,
    Adds,
    BookieContract,
    Reads,
    header_of,
    payload_of,
)
from tests.proto.memory_bookie import Ledger, MemoryBookie
from tests.storage.support import Box

FLOOD_BYTES = 100_000


class WireHarness:
    """A network client and a memory bookie behind a socket."""

    flood_bytes = FLOOD_BYTES

    def __init__(
        self, *, use_v2_wire_protocol: bool, use_batch_reads: bool, batch_reads: bool = True
    ) -> None:
        self._ledgers: dict[int, Ledger] = {}
        self._memory = MemoryBookie(self._ledgers, 10 * FLOOD_BYTES)
        self._server = WireServer(
            self._memory, batch_reads=batch_reads, after_chunk=self._run_memory
        )
        self._scope = TaskScope()
        self._config = BookieNetworkConfig(
            use_v2_wire_protocol=use_v2_wire_protocol,
            use_batch_reads=use_batch_reads,
            max_pending_add_bytes=FLOOD_BYTES,
            hard_max_pending_add_bytes=FLOOD_BYTES + 10_000,
            reconnect_pause_ms=0,
            pipelined_read_entries=2000,
        )
        self.bookie: NetworkBookie

    async def start(self) -> None:
        self._listener = await SystemNetwork().listen(self._server.protocol, "127.0.0.1", 0)
        self.bookie = NetworkBookie(
            "bookie", self._address, SystemNetwork(), self._scope, self._config
        )

    async def stop(self) -> None:
        self.bookie.close()
        self._listener.close()
        await self._scope.close()
        self._server.abort_all()
        await asyncio.sleep(0)

    async def settle(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        while not self.bookie._calls.idle:
            await asyncio.sleep(0.0005)
        for _ in range(3):
            await asyncio.sleep(0)

    async def restart(self) -> None:
        self._memory = MemoryBookie(self._ledgers, 10 * FLOOD_BYTES)
        self._server.bookie = self._memory
        self._server.abort_all()
        while self.bookie._connection is not None:
            await asyncio.sleep(0.0005)

    async def _address(self) -> tuple[str, int]:
        return "127.0.0.1", self._listener.ports[0]

    def _run_memory(self) -> None:
        asyncio.get_running_loop().call_soon(self._memory.run_all)


class OverTheWire(BookieContract):
    use_v2_wire_protocol = True
    use_batch_reads = True

    @pytest.fixture
    async def harness(self) -> AsyncIterator[WireHarness]:
        harness = WireHarness(
            use_v2_wire_protocol=self.use_v2_wire_protocol, use_batch_reads=self.use_batch_reads
        )
        await harness.start()
        yield harness
        await harness.stop()


class TestVersion2(OverTheWire):
    pass


class TestVersion2WithoutBatchReads(OverTheWire):
    use_batch_reads = False


class TestVersion3(OverTheWire):
    use_v2_wire_protocol = False


class ServiceHarness:
    """A network client and the real bookie service in front of a real engine."""

    flood_bytes = FLOOD_BYTES

    def __init__(self, directory: Path, *, use_v2_wire_protocol: bool) -> None:
        self._box = Box(directory, write_cache_bytes=2 << 20)
        self._scope = TaskScope()
        self._config = BookieNetworkConfig(
            use_v2_wire_protocol=use_v2_wire_protocol,
            max_pending_add_bytes=FLOOD_BYTES,
            hard_max_pending_add_bytes=FLOOD_BYTES + 10_000,
            reconnect_pause_ms=0,
            pipelined_read_entries=2000,
        )
        self.bookie: NetworkBookie

    async def start(self) -> None:
        await self._serve()
        self.bookie = NetworkBookie(
            "bookie", self._address, SystemNetwork(), self._scope, self._config
        )

    async def stop(self) -> None:
        self.bookie.close()
        await self._scope.close()
        await self._server.close()
        await self._box.bookie.close()

    async def settle(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        while not self.bookie._calls.idle:
            await asyncio.sleep(0.0005)
        for _ in range(3):
            await asyncio.sleep(0)

    async def restart(self) -> None:
        await self._server.close()
        await self._box.restart()
        while self.bookie._connection is not None:
            await asyncio.sleep(0.0005)
        await self._serve()

    async def _serve(self) -> None:
        bookie = await self._box.open() if not hasattr(self, "_server") else self._box.bookie
        loop = asyncio.get_running_loop()
        self._server = BookieServer(bookie, loop, ServiceLimits(), lambda: None)
        (self._listening_on,) = await self._server.listen(SystemNetwork(), ["127.0.0.1"], 0)

    async def _address(self) -> tuple[str, int]:
        host, _, port = self._listening_on.rpartition(":")
        return host, int(port)


class OnTheService(BookieContract):
    use_v2_wire_protocol = True

    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[ServiceHarness]:
        harness = ServiceHarness(tmp_path, use_v2_wire_protocol=self.use_v2_wire_protocol)
        await harness.start()
        yield harness
        await harness.stop()


class TestServiceVersion2(OnTheService):
    pass


class TestServiceVersion3(OnTheService):
    use_v2_wire_protocol = False


def test_on_uvloop(tmp_path: Path) -> None:
    """Its transports are no subclasses of asyncio's, which a protocol may not ask for."""

    async def main() -> None:
        harness = ServiceHarness(tmp_path, use_v2_wire_protocol=True)
        await harness.start()
        adds, reads = Adds(), Reads()
        header, payload = header_of(LEDGER, 0), payload_of(0, 20)
        harness.bookie.add(LEDGER, [0], KEY, [header], [payload], 0, adds)
        while not adds.by_entry:
            await asyncio.sleep(0.001)
        harness.bookie.read(LEDGER, 0, 1, MAX_BYTES, 0, KEY, reads, 7)
        while not reads.rows:
            await asyncio.sleep(0.001)
        assert adds.by_entry == {0: Status.OK}
        assert reads.rows == [(7, Status.OK, 0, [header + payload])]
        await harness.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
