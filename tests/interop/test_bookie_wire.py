"""The rarer operations of BookKeeper's protocol: our bookies and client beside Apache's."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.connect import connect
from magnetar_ledger.network import BookieNetworkConfig
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.metadata_url import open_store
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.settings_tls import ROLES_FACTORY, TLS_FACTORY
from magnetar_runtime.tls import TlsFiles, client_context

from tests.certificates import Authority
from tests.interop.apache_bookies import (
    PASSWORD,
    ApacheBookies,
    Confirmed,
    append,
    payload,
    read_all,
)
from tests.interop.magnetar_bookies import MagnetarBookie

pytestmark = pytest.mark.interop


class Bookies:
    """A JVM with ZooKeeper and a client, and three bookies of ours that speak TLS too."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority.make(directory)
        self.writer = self.authority.issue("writer", "0:writer")
        self.java = ApacheBookies(directory, bookies=0)
        zookeeper = f"127.0.0.1:{self.java.zookeeper_port}"
        self.all = [
            MagnetarBookie(directory / f"bookie-{n}", zookeeper, named=True) for n in range(3)
        ]
        for number, bookie in enumerate(self.all):
            files = self.authority.issue(f"bookie-{number}", "0:bookie")
            bookie.settings.update(tls_keys(files))
            bookie.start()
        assert self.java.tell(tls_command(self.writer)) == "ok"

    def close(self) -> None:
        for bookie in self.all:
            bookie.kill()
        self.java.close()

    def restart(self) -> None:
        for bookie in self.all:
            bookie.kill()
        for bookie in self.all:
            bookie.start()


def tls_keys(files: TlsFiles) -> dict[str, str]:
    return {
        "tlsProviderFactoryClass": TLS_FACTORY,
        "tlsClientAuthentication": "true",
        "tlsKeyStoreType": "PEM",
        "tlsKeyStore": files.key,
        "tlsCertificatePath": files.certificate,
        "tlsTrustStoreType": "PEM",
        "tlsTrustStore": files.trusted,
    }


def tls_command(files: TlsFiles) -> str:
    return f"tls {files.trusted} {files.certificate} {files.key}"


@pytest.fixture(scope="module")
def bookies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bookies]:
    bookies = Bookies(tmp_path_factory.mktemp("bookies"))
    yield bookies
    bookies.close()


async def write(bookies: Bookies, words: str) -> int:
    answer = await bookies.java.ask(f"write {words}")
    assert answer.startswith("ledger "), answer
    return int(answer.removeprefix("ledger "))


# ---- explicit LACs ----


async def test_javas_explicit_lac_outlives_the_bookies(bookies: Bookies) -> None:
    ledger_id = await write(bookies, "v3 3 3 2 CRC32C 10 open")
    look = await bookies.java.ask(f"read v3 {ledger_id} CRC32C look")
    assert int(look.split()[1]) < 10, "without one the last entry is not seen"
    ledger_id = await write(bookies, "v3lac 3 3 2 CRC32C 10 open")
    await asyncio.sleep(1)
    look = await bookies.java.ask(f"read v3 {ledger_id} CRC32C look")
    assert look.split()[:3] == ["read", "10", "open"]
    bookies.restart()
    look = await bookies.java.ask(f"read v3 {ledger_id} CRC32C look")
    assert look.split()[:3] == ["read", "10", "open"]
    async with bookies.java.client(version=3) as client:
        reader = await client.open(ledger_id, password=PASSWORD, recover=False)
        assert (reader.last_add_confirmed, reader.closed) == (9, False)


async def test_our_explicit_lac_on_our_bookies(bookies: Bookies) -> None:
    config = LedgerClientConfig(explicit_lac_interval_ms=100)
    async with bookies.java.client(version=3, config=config) as client:
        writer = await client.create(
            ensemble_size=3, write_quorum=3, ack_quorum=2, password=PASSWORD
        )
        writer.sink = sink = Confirmed()
        await append(writer, sink, 10)
        await asyncio.sleep(0.5)
        look = await bookies.java.ask(f"read v3 {writer.ledger_id} CRC32C look")
        assert look.split()[:3] == ["read", "10", "open"]
        await writer.close()


async def test_a_long_poll_of_java_is_woken_by_an_explicit_lac(bookies: Bookies) -> None:
    config = LedgerClientConfig(explicit_lac_interval_ms=300)
    async with bookies.java.client(version=3, config=config) as client:
        writer = await client.create(
            ensemble_size=3, write_quorum=3, ack_quorum=2, password=PASSWORD
        )
        writer.sink = sink = Confirmed()
        await append(writer, sink, 3)
        await asyncio.sleep(1)
        polling = asyncio.ensure_future(bookies.java.ask(f"poll {writer.ledger_id} 3 20000"))
        await asyncio.sleep(1)
        await append(writer, sink, 1)
        assert await asyncio.wait_for(polling, 20) == "polled 3 entry-3"
        await writer.close()


# ---- lists of entries ----


@pytest.mark.parametrize("sizes", ["3 3 2", "3 2 2"])
async def test_java_understands_our_lists_of_entries(bookies: Bookies, sizes: str) -> None:
    count = 1000
    ledger_id = await write(bookies, f"v2 {sizes} CRC32C {count} close")
    url = f"zk:127.0.0.1:{bookies.java.zookeeper_port}"
    async with open_store(url, SystemClock()) as store:
        found = await LedgerRegistry(store).read(ledger_id)
    assert found is not None
    (segment,) = found[0].segments
    quorum = int(sizes.split()[1])
    for restarted in (False, True):
        for place, bookie_id in enumerate(segment.bookies):
            mine = [n for n in range(count) if (place - n) % 3 < quorum]
            answer = await bookies.java.ask(f"entries {bookie_id} {ledger_id} {count + 10}")
            assert answer == f"entries {len(mine)} {','.join(map(str, mine))}"
        if not restarted:
            bookies.restart()
    answer = await bookies.java.ask(f"entries {segment.bookies[0]} {ledger_id + 1000} 10")
    assert answer.startswith("failed BKNoSuchLedger"), answer


# ---- TLS ----


@pytest.mark.parametrize("version", ["v2tls", "v3tls"])
async def test_java_writes_to_our_bookies_by_tls(bookies: Bookies, version: str) -> None:
    ledger_id = await write(bookies, f"{version} 3 3 2 CRC32C 10000 close")
    for reader in (version, "v2"):
        answer = await bookies.java.ask(f"read {reader} {ledger_id} CRC32C look")
        assert answer.split()[:3] == ["read", "10000", "closed"]


@pytest.mark.parametrize("version", [2, 3])
async def test_our_client_writes_to_our_bookies_by_tls(bookies: Bookies, version: int) -> None:
    await _write_by_tls(bookies.java, bookies.writer, version, 3)


async def test_only_who_has_the_role_may_write(bookies: Bookies) -> None:
    bookie = bookies.all[0]
    bookie.kill()
    bookie.settings |= {
        "bookieAuthProviderFactoryClass": ROLES_FACTORY,
        "authorizedRoles": "writer",
    }
    bookie.start()
    try:
        for version in ("v2", "v3"):
            answer = await bookies.java.ask(f"write {version} 3 3 3 CRC32C 10 close")
            assert answer.startswith("failed "), answer
        ledger_id = await write(bookies, "v3tls 3 3 3 CRC32C 10 close")
        answer = await bookies.java.ask(f"read v2tls {ledger_id} CRC32C look")
        assert answer.split()[:3] == ["read", "10", "closed"]
    finally:
        bookie.kill()
        for key in ("bookieAuthProviderFactoryClass", "authorizedRoles"):
            del bookie.settings[key]
        bookie.start()


async def test_a_bookie_that_needs_a_role_itself_is_repaired(bookies: Bookies) -> None:
    ledger_id = await write(bookies, "v3tls 3 3 3 CRC32C 3000 close")
    for bookie in bookies.all:
        bookie.kill()
        bookie.settings |= {
            "bookieAuthProviderFactoryClass": ROLES_FACTORY,
            "authorizedRoles": "writer,bookie",
        }
        bookie.start()
        assert bookie.stop() == 0  # all entries are in entry logs
    try:
        damaged = bookies.all[0]
        logs = damaged.data_directory.glob("ledgers-*/entries/*.log")
        for log in logs:
            with log.open("r+b") as file:
                file.seek(log.stat().st_size // 2)
                byte = file.read(1)
                file.seek(-1, 1)
                file.write(bytes([byte[0] ^ 1]))
        for bookie in bookies.all:
            bookie.start()
        async with asyncio.timeout(60):
            while not _mended(await asyncio.to_thread(damaged.get, "/metrics")):
                answer = await bookies.java.ask(f"read v2tls {ledger_id} CRC32C look")
                assert answer.split()[:3] == ["read", "3000", "closed"]
                await asyncio.sleep(1)
    finally:
        for bookie in bookies.all:
            bookie.kill()
            for key in ("bookieAuthProviderFactoryClass", "authorizedRoles"):
                del bookie.settings[key]
            bookie.start()


def _mended(metrics: str) -> bool:
    (line,) = (
        each
        for each in metrics.splitlines()
        if each.startswith("magnetar_bookie_scrub_entries_mended_total")
    )
    return float(line.split()[-1]) > 0


@pytest.mark.parametrize("version", [2, 3])
async def test_our_client_writes_to_apache_bookies_by_tls(tmp_path: Path, version: int) -> None:
    authority = Authority.make(tmp_path)
    files = authority.issue("both", "0:writer")
    java = ApacheBookies(tmp_path, bookies=2)
    try:
        assert await java.ask(tls_command(files)) == "ok"
        for port in java.ports:
            assert await java.ask(f"stop {port}") == "ok"
            assert await java.ask(f"start {port} tls") == "ok"
        await _write_by_tls(java, files, version, 2)
    finally:
        await asyncio.to_thread(java.close)


async def _write_by_tls(java: ApacheBookies, files: TlsFiles, version: int, quorum: int) -> None:
    network = BookieNetworkConfig(
        use_v2_wire_protocol=version == 2, tls=client_context(files, verify_hostname=True)
    )
    async with connect(f"zk:127.0.0.1:{java.zookeeper_port}", network_config=network) as client:
        writer = await client.create(
            ensemble_size=quorum, write_quorum=quorum, ack_quorum=2, password=PASSWORD
        )
        writer.sink = sink = Confirmed()
        await append(writer, sink, 10_000)
        await writer.close()
        found = await read_all(client, writer.ledger_id, recover=False)
        assert found == [payload(number) for number in range(10_000)]
        answer = await java.ask(f"read v{version}tls {writer.ledger_id} CRC32C look")
        assert answer.split()[:3] == ["read", "10000", "closed"]
