"""Apache ZooKeeper and bookies with a Java client, all in one JVM; and a client of ours on them."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from magnetar.testing.processes import dies_with_parent
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.connect import connect
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.network import BookieNetworkConfig
from magnetar_ledger.writer import LedgerWriter

from bench.ports import free_port
from bench.servers import APACHE

PASSWORD = b"secret"
_STUMBLED = "Executor is shutting down"
"""So fails BookKeeper's shell now and then: an answer comes as it closes its client."""


class ApacheBookies:
    """`BookieCluster.java`: four bookies that can be stopped and started."""

    def __init__(self, directory: Path, bookies: int = 4, *, log_level: str = "warn") -> None:
        self.log_path = directory / "java.log"
        self._log = self.log_path.open("w")
        self.zookeeper_port = free_port()
        self.ports = [free_port() for _ in range(bookies)]
        ports = map(str, [self.zookeeper_port, *self.ports])
        program = str(APACHE.parent / "BookieCluster.java")
        self._java = subprocess.Popen(
            [*dies_with_parent(), str(APACHE), "java", program, str(directory / "data"), *ports],
            env={**os.environ, "PEERS_DATA": str(directory / "peers"), "PEER_LOG": log_level},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._answer() == "ready"

    def tell(self, command: str) -> str:
        """One line down, one line back; the shell may stumble once."""
        answer = self._tell(command)
        if command.startswith("shell ") and _STUMBLED in answer:
            return self._tell(command)
        return answer

    async def ask(self, command: str) -> str:
        """`tell`, for those who must not block the loop."""
        return await asyncio.to_thread(self.tell, command)

    def close(self) -> None:
        assert self._java.stdin is not None
        self._java.stdin.close()
        try:
            self._java.wait(30)
        finally:
            self._java.kill()
            assert self._java.stdout is not None
            self._java.stdout.close()
            self._log.close()

    def _tell(self, command: str) -> str:
        assert self._java.stdin is not None
        self._java.stdin.write(f"{command}\n")
        self._java.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._java.stdout is not None
        line = self._java.stdout.readline()
        assert line, f"the JVM ended; see {self._log.name}"
        return line.rstrip("\n")

    @asynccontextmanager
    async def client(
        self, *, version: int = 2, config: LedgerClientConfig | None = None
    ) -> AsyncIterator[LedgerClient]:
        """A ledger client of ours."""
        network = BookieNetworkConfig(use_v2_wire_protocol=version == 2)
        url = f"zk:127.0.0.1:{self.zookeeper_port}"
        async with connect(url, config=config, network_config=network) as client:
            yield client


class Confirmed:
    """A WriterSink that can be waited for."""

    def __init__(self) -> None:
        self.count = 0
        self.error: LedgerError | None = None
        self._changed = asyncio.Event()

    def entries_confirmed(self, first_entry_id: int, count: int) -> None:
        assert first_entry_id == self.count
        self.count += count
        self._changed.set()

    def writer_failed(self, error: LedgerError) -> None:
        self.error = error
        self._changed.set()

    async def wait(self, count: int) -> None:
        """Until so many are confirmed, or the writer has failed."""
        async with asyncio.timeout(60):
            while self.count < count and self.error is None:
                self._changed.clear()
                await self._changed.wait()


def payload(number: int) -> bytes:
    """What the Java program writes and expects."""
    return b"entry-%d" % number


async def append(writer: LedgerWriter, sink: Confirmed, count: int) -> None:
    """Add entries in runs and wait until they are confirmed."""
    first = writer.entries_pushed
    for start in range(first, first + count, 100):
        writer.add_all([payload(n) for n in range(start, min(start + 100, first + count))])
        await asyncio.sleep(0)
    await sink.wait(first + count)
    assert sink.error is None, sink.error


async def read_all(client: LedgerClient, ledger_id: int, *, recover: bool) -> list[bytes]:
    reader = await client.open(ledger_id, password=PASSWORD, recover=recover)
    found: list[bytes] = []
    while len(found) <= reader.last_add_confirmed:
        found += await reader.read(len(found), 1000, 4_000_000)
    return found


async def defer_and_force(client: LedgerClient, sizes: str, java: ApacheBookies) -> None:
    """The same as the Java program's `defer`, read by it: only what was forced is confirmed."""
    ensemble, write, ack = map(int, sizes.split())
    writer = await client.create(
        ensemble_size=ensemble,
        write_quorum=write,
        ack_quorum=ack,
        password=PASSWORD,
        deferred_sync=True,
    )
    writer.sink = sink = Confirmed()
    await append(writer, sink, 100)
    assert writer.last_add_confirmed == -1
    await writer.force()
    assert writer.last_add_confirmed == 99
    await append(writer, sink, 100)
    assert (await writer.close()).last_entry_id == 99
    answer = await java.ask(f"read v3 {writer.ledger_id} CRC32C look")
    assert answer.split()[:3] == ["read", "100", "closed"]
