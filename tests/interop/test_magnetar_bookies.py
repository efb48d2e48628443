"""The Java client and BookKeeper's shell on four of our bookies, with the real ZooKeeper."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from magnetar_metadata.bookie_registry import BookieRegistry
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.metadata_url import open_store
from magnetar_metadata.store import MetadataStore
from magnetar_runtime.clock import SystemClock

from tests.interop.apache_bookies import ApacheBookies, defer_and_force, payload, read_all
from tests.interop.magnetar_bookies import MagnetarBookie

pytestmark = pytest.mark.interop

COUNT = 10_000
LENGTH = sum(len(payload(number)) for number in range(COUNT))
SIZES = ["3 3 2", "3 2 2"]
DIGESTS = ["CRC32", "CRC32C", "MAC", "DUMMY"]
VERSIONS = ["v2", "v3"]


class Bookies:
    """A JVM with ZooKeeper and a client, and four bookies of ours."""

    def __init__(self, directory: Path) -> None:
        self.java = ApacheBookies(directory, bookies=0)
        zookeeper = f"127.0.0.1:{self.java.zookeeper_port}"
        self.all = [
            MagnetarBookie(directory / f"bookie-{n}", zookeeper, named=n < 2) for n in range(4)
        ]
        for bookie in self.all:
            bookie.start()

    def close(self) -> None:
        for bookie in self.all:
            bookie.kill()
        self.java.close()

    def by_id(self, bookie_id: str) -> MagnetarBookie:
        (found,) = [each for each in self.all if each.bookie_id == bookie_id]
        return found

    async def write(self, words: str) -> int:
        answer = await self.java.ask(f"write {words}")
        assert answer.startswith("ledger "), answer
        return int(answer.removeprefix("ledger "))


@pytest.fixture(scope="module")
def bookies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bookies]:
    bookies = Bookies(tmp_path_factory.mktemp("bookies"))
    yield bookies
    bookies.close()


@pytest.fixture
async def store(bookies: Bookies) -> AsyncIterator[MetadataStore]:
    url = f"zk:127.0.0.1:{bookies.java.zookeeper_port}"
    async with open_store(url, SystemClock()) as store:
        yield store


async def until_registered(store: MetadataStore, count: int) -> None:
    async with asyncio.timeout(30):
        while len(await BookieRegistry(store).writable()) != count:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("version", VERSIONS)
async def test_java_writes_and_reads_back(
    bookies: Bookies, version: str, sizes: str, digest: str
) -> None:
    ledger_id = await bookies.write(f"{version} {sizes} {digest} {COUNT} close")
    for reader in VERSIONS:
        answer = await bookies.java.ask(f"read {reader} {ledger_id} {digest} look")
        assert answer == f"read {COUNT} closed {LENGTH}"


@pytest.mark.parametrize("sizes", SIZES)
async def test_java_defers_syncs_and_forces(bookies: Bookies, sizes: str) -> None:
    """Its last add confirmed, and with it the end of the ledger, moves with the force alone."""
    answer = await bookies.java.ask(f"defer {sizes} 100")
    _, ledger_id, before, behind = answer.split()
    assert (before, behind) == ("-1", "99"), answer
    read = await bookies.java.ask(f"read v3 {ledger_id} CRC32C look")
    assert read.split()[:3] == ["read", "100", "closed"]


@pytest.mark.parametrize("sizes", SIZES)
async def test_our_client_defers_syncs_on_our_bookies(bookies: Bookies, sizes: str) -> None:
    async with bookies.java.client(version=3) as client:
        await defer_and_force(client, sizes, bookies.java)


async def test_our_client_reads_what_java_wrote_on_our_bookies(bookies: Bookies) -> None:
    ledger_id = await bookies.write("v2 3 3 2 CRC32C 1000 close")
    async with bookies.java.client() as client:
        found = await read_all(client, ledger_id, recover=False)
    assert found == [payload(number) for number in range(1000)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("version", VERSIONS)
async def test_a_ledger_left_open_is_recovered_and_its_writer_fenced(
    bookies: Bookies, version: str, sizes: str
) -> None:
    ledger_id = await bookies.write(f"{version} {sizes} CRC32C 1000 open")
    assert await bookies.java.ask(f"append {ledger_id} 1") == "appended 1000"
    look = await bookies.java.ask(f"read {version} {ledger_id} CRC32C look")
    assert look.split()[:3] == ["read", "1000", "open"]
    answer = await bookies.java.ask(f"read {version} {ledger_id} CRC32C recover")
    assert answer.split()[:3] == ["read", "1001", "closed"]
    answer = await bookies.java.ask(f"append {ledger_id} 1")
    assert answer.startswith("failed BKLedgerFencedException"), answer
    for reader in VERSIONS:
        answer = await bookies.java.ask(f"read {reader} {ledger_id} CRC32C look")
        assert answer.split()[:3] == ["read", "1001", "closed"]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("version", VERSIONS)
async def test_one_of_four_bookies_is_killed_under_the_writer(
    bookies: Bookies, store: MetadataStore, version: str, sizes: str
) -> None:
    await until_registered(store, 4)
    ledger_id = await bookies.write(f"{version} {sizes} CRC32C 1000 open")
    registry = LedgerRegistry(store)
    found = await registry.read(ledger_id)
    assert found is not None
    victim = bookies.by_id(found[0].segments[0].bookies[1])
    appending = asyncio.ensure_future(bookies.java.ask(f"append {ledger_id} {COUNT}"))
    await asyncio.sleep(0.15)
    victim.kill()
    assert await appending == f"appended {COUNT + 999}"
    # So that the bookies know what is confirmed: recovery reads behind it, one by one.
    assert await bookies.java.ask(f"append {ledger_id} 1") == f"appended {COUNT + 1000}"
    found = await registry.read(ledger_id)
    assert found is not None
    assert victim.bookie_id not in found[0].segments[-1].bookies
    answer = await bookies.java.ask(f"read {version} {ledger_id} CRC32C recover")
    assert answer.split()[:3] == ["read", str(COUNT + 1001), "closed"]
    victim.start()  # not in a thread: the process would die with it
    await until_registered(store, 4)
    answer = await bookies.java.ask(f"read {version} {ledger_id} CRC32C look")
    assert answer.split()[:3] == ["read", str(COUNT + 1001), "closed"]


async def test_a_recovery_with_a_bookie_down(bookies: Bookies, store: MetadataStore) -> None:
    await until_registered(store, 4)
    ledger_id = await bookies.write("v2 3 3 2 CRC32C 1000 open")
    found = await LedgerRegistry(store).read(ledger_id)
    assert found is not None
    victim = bookies.by_id(found[0].segments[0].bookies[0])
    victim.kill()
    answer = await bookies.java.ask(f"read v2 {ledger_id} CRC32C recover")
    assert answer.split()[:3] == ["read", "1000", "closed"]
    victim.start()  # not in a thread: the process would die with it
    await until_registered(store, 4)


@pytest.mark.parametrize("place", [0, 1])
async def test_the_shells_commands(bookies: Bookies, store: MetadataStore, place: int) -> None:
    await until_registered(store, 4)
    ledger_id = await bookies.write("v2 4 4 3 CRC32 100 close")
    port = bookies.all[place].port
    for command, printed in (
        ("bookiesanity -e 10 -t 5", ""),
        ("simpletest -e 3 -w 3 -a 2 -n 1000", ""),
        ("listbookies -rw -h", ""),
        ("listledgers -meta", ""),
        (f"ledgermetadata -ledgerid {ledger_id}", ""),
        (f"readledger -ledgerid {ledger_id} -fe 0 -le 99 -msg", "entry-99"),
        (f"readledger -ledgerid {ledger_id} -fe 0 -le 99 -b 127.0.0.1:{port}", ""),
        ("bookieinfo", ""),
        ("whatisinstanceid", ""),
    ):
        answer = await bookies.java.ask(f"shell {port} {command}")
        assert answer.startswith("exit 0 "), f"{command}: {answer}"
        assert printed in answer, command
    assert "Failed to read entry" not in bookies.java.log_path.read_text()


async def test_http_beside_it(bookies: Bookies) -> None:
    bookie = bookies.all[2]
    assert await asyncio.to_thread(bookie.get, "/heartbeat") == "OK\n"
    state = json.loads(await asyncio.to_thread(bookie.get, "/api/v1/bookie/state"))
    assert state["running"] is True
    assert "bookkeeper_server_ADD_ENTRY_count" in await asyncio.to_thread(bookie.get, "/metrics")
