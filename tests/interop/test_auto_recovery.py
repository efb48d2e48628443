"""Auto-recovery across the two: Apache's on our bookies, ours on Apache's, and ours on our own."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from magnetar_ledger.connect import connect_tools
from magnetar_ledger.repair.config import RepairConfig
from magnetar_ledger.repair.fragments import bookies_needed
from magnetar_ledger.repair.ledger_check import LedgerCheck
from magnetar_ledger.repair.ledger_walk import all_ledgers
from magnetar_metadata.auditor_election import AuditorElection
from magnetar_metadata.bookie_registry import BookieRegistry
from magnetar_metadata.cookies import CookieRegistry
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.metadata_url import open_store
from magnetar_metadata.store import MetadataStore
from magnetar_metadata.underreplication import Underreplication
from magnetar_runtime.clock import SystemClock

from bench.servers import HOST, magnetar_command
from tests.interop.apache_bookies import ApacheBookies, payload
from tests.interop.auto_recoveries import ApacheAutoRecovery, MagnetarAutoRecovery
from tests.interop.magnetar_bookies import MagnetarBookie

pytestmark = pytest.mark.interop

COUNT = 1000
LENGTH = sum(len(payload(number)) for number in range(COUNT))
CLOSED = ["v2 3 3 2 CRC32C", "v3 3 2 2 CRC32", "v2 3 2 2 MAC", "v3 3 3 2 DUMMY"]


class Cluster:
    """A ZooKeeper with a Java client, and four bookies of one kind."""

    def __init__(self, directory: Path, *, ours: bool, **settings: str) -> None:
        self.directory = directory
        self.java = ApacheBookies(directory, bookies=0 if ours else 4, log_level="info")
        self.zookeeper = f"{HOST}:{self.java.zookeeper_port}"
        self.ours = [
            MagnetarBookie(directory / f"bookie-{n}", self.zookeeper, named=True)
            for n in range(4 if ours else 0)
        ]
        for bookie in self.ours:
            bookie.settings = settings
            bookie.start()

    def close(self) -> None:
        for bookie in self.ours:
            bookie.kill()
        self.java.close()

    async def lose(self, bookie_id: str) -> None:
        """Ours dies by kill -9; Apache's stops."""
        if self.ours:
            (bookie,) = [each for each in self.ours if each.bookie_id == bookie_id]
            bookie.kill()
        else:
            assert await self.java.ask(f"stop {bookie_id.rpartition(':')[2]}") == "ok"

    async def write(self, words: str) -> int:
        answer = await self.java.ask(f"write {words}")
        assert answer.startswith("ledger "), answer
        return int(answer.removeprefix("ledger "))

    async def read(self, version: str, ledger_id: int, digest: str) -> str:
        return await self.java.ask(f"read {version} {ledger_id} {digest} look")

    async def shell(self, command: str) -> str:
        """What the shell of BookKeeper answers, most of it in its log."""
        log = self.java.log_path
        before = log.stat().st_size
        answer = await self.java.ask(f"shell {(self.java.ports or [0])[0]} {command}")
        assert answer.startswith("exit 0"), answer
        with log.open() as lines:
            lines.seek(before)
            return answer + lines.read()

    @asynccontextmanager
    async def store(self) -> AsyncIterator[MetadataStore]:
        async with open_store(f"zk:{self.zookeeper}", SystemClock()) as store:
            yield store


@pytest.fixture
def our_bookies(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, ours=True)
    yield cluster
    cluster.close()


@pytest.fixture
def apache_cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, ours=False)
    yield cluster
    cluster.close()


async def bookies_of(store: MetadataStore, ledger_id: int) -> tuple[str, ...]:
    found = await LedgerRegistry(store).read(ledger_id)
    assert found is not None
    return found[0].segments[-1].bookies


async def until_led_by(store: MetadataStore, name: str) -> None:
    async with asyncio.timeout(60):
        while await AuditorElection(store, "observer").leader() != name:
            await asyncio.sleep(0.2)


async def until_free_of(store: MetadataStore, bookie_id: str) -> None:
    """Until no ledger needs the bookie and nothing is marked."""
    marked = Underreplication(store, SystemClock())
    async with asyncio.timeout(150):
        while True:
            needing = [
                ledger_id
                async for part in all_ledgers(LedgerRegistry(store))
                for ledger_id, metadata in part
                if bookie_id in bookies_needed(metadata)
            ]
            if not needing and not await marked.list_ids():
                return
            await asyncio.sleep(0.5)


async def check_replicas(store: MetadataStore) -> int:
    """Reads every entry from every bookie that should have it; how many were read."""
    registered = await BookieRegistry(store).registered()
    config = RepairConfig(verification_percent=100, check_rate_entries_per_s=0)
    async with connect_tools(store) as tools:
        check = LedgerCheck(tools, config, registered)
        async for part in all_ledgers(tools.registry):
            for ledger_id, metadata in part:
                assert bookies_needed(metadata) <= registered
                assert await check.bad_bookies(ledger_id, metadata) == set()
        return check.entries_read


async def lose_one_and_look(cluster: Cluster, store: MetadataStore) -> None:
    """The test of both directions, with an auto-recovery at work."""
    ledgers = {words: await cluster.write(f"{words} {COUNT} close") for words in CLOSED}
    left_open = await cluster.write(f"v2 3 3 2 CRC32C {COUNT} open")
    victim = (await bookies_of(store, left_open))[0]
    await cluster.lose(victim)
    await until_free_of(store, victim)
    assert await check_replicas(store) >= COUNT * (3 + 2 + 2 + 3)
    for words, ledger_id in ledgers.items():
        for version in ("v2", "v3"):
            answer = await cluster.read(version, ledger_id, words.split()[-1])
            assert answer == f"read {COUNT} closed {LENGTH}"
    # Nobody wrote on: it was closed, and its writer is fenced.
    assert (await cluster.read("v2", left_open, "CRC32C")) == f"read {COUNT} closed {LENGTH}"
    answer = await cluster.java.ask(f"append {left_open} 1")
    assert answer.startswith(("failed BKLedgerFencedException", "failed BKLedgerClosed")), answer


async def test_apaches_auto_recovery_repairs_our_bookies(our_bookies: Cluster) -> None:
    recovery = ApacheAutoRecovery(our_bookies.directory / "recovery", our_bookies.zookeeper)
    recovery.start()
    try:
        async with our_bookies.store() as store:
            async with asyncio.timeout(60):
                while await AuditorElection(store, "observer").leader() is None:
                    await asyncio.sleep(0.2)
            await lose_one_and_look(our_bookies, store)
    finally:
        recovery.kill()


async def test_ours_repairs_apaches_bookies(apache_cluster: Cluster) -> None:
    recovery = MagnetarAutoRecovery(apache_cluster.directory / "recovery", apache_cluster.zookeeper)
    recovery.start()
    try:
        async with apache_cluster.store() as store:
            await until_led_by(store, "magnetar-repair")
            assert "magnetar-repair" in await apache_cluster.shell("whoisauditor")
            await lose_one_and_look(apache_cluster, store)
    finally:
        recovery.kill()


async def test_apaches_shell_understands_our_nodes_and_we_its(apache_cluster: Cluster) -> None:
    async with apache_cluster.store() as store:
        marked = Underreplication(store, SystemClock())
        await marked.prepare()
        await marked.mark(4711, ["10.0.0.7:3181", "b-2"])
        shown = await apache_cluster.shell("listunderreplicated -printmissingreplica")
        assert "4711" in shown
        assert "10.0.0.7:3181" in shown
        await apache_cluster.shell("autorecovery -disable")
        assert not await marked.enabled()
        await apache_cluster.shell("autorecovery -enable")
        assert await marked.enabled()
        await apache_cluster.shell("lostbookierecoverydelay -set 17")
        assert await marked.lost_bookie_recovery_delay_s(0) == 17
        await marked.set_lost_bookie_recovery_delay_s(18)
        assert "18" in await apache_cluster.shell("lostbookierecoverydelay -get")


async def test_our_bookies_repair_each_other_and_one_leaves_for_good(tmp_path: Path) -> None:
    cluster = Cluster(
        tmp_path,
        ours=True,
        autoRecoveryDaemonEnabled="true",
        openLedgerRereplicationGracePeriod="3000",
        rwRereplicateBackoffMs="1000",
    )
    try:
        async with cluster.store() as store:
            await lose_one_and_look(cluster, store)
            lost = {each.bookie_id for each in cluster.ours} - await BookieRegistry(
                store
            ).registered()
            (victim,) = lost
            assert await CookieRegistry(store).read(victim) is not None
            command = [*magnetar_command(), "bookie", "decommission", victim]
            done = await asyncio.to_thread(
                subprocess.run,
                [*command, "-md", f"zk:{cluster.zookeeper}"],
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, done.stderr
            assert await CookieRegistry(store).read(victim) is None
    finally:
        cluster.close()
