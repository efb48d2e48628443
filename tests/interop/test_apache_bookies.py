"""Our ledger client on Apache bookies, beside the Java client: what one writes the other reads."""

import asyncio

import pytest
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.errors import LedgerFencedError, NoSuchEntryError
from magnetar_metadata.ledger_metadata import DigestType

from tests.interop.apache_bookies import (
    PASSWORD,
    ApacheBookies,
    Confirmed,
    append,
    defer_and_force,
    payload,
    read_all,
)

pytestmark = pytest.mark.interop

SIZES = [(3, 3, 2), (3, 2, 2)]
VERSIONS = [2, 3]
JAVA_DIGESTS = {
    DigestType.CRC32: "CRC32",
    DigestType.CRC32C: "CRC32C",
    DigestType.HMAC: "MAC",
    DigestType.DUMMY: "DUMMY",
}
COUNT = 10_000
LENGTH = sum(len(payload(number)) for number in range(COUNT))
PAYLOADS = [payload(number) for number in range(COUNT)]


@pytest.fixture
def bookies(apache_bookies: ApacheBookies) -> ApacheBookies:
    return apache_bookies


@pytest.mark.parametrize("digest", JAVA_DIGESTS, ids=JAVA_DIGESTS.get)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("version", VERSIONS)
async def test_java_reads_what_we_write(
    bookies: ApacheBookies, version: int, sizes: tuple[int, int, int], digest: DigestType
) -> None:
    async with bookies.client(version=version) as client:
        writer = await client.create(
            ensemble_size=sizes[0],
            write_quorum=sizes[1],
            ack_quorum=sizes[2],
            digest_type=digest,
            password=PASSWORD,
        )
        writer.sink = sink = Confirmed()
        await append(writer, sink, COUNT)
        await writer.close()
        name = JAVA_DIGESTS[digest]
        answer = await bookies.ask(f"read v{version} {writer.ledger_id} {name} look")
        assert answer == f"read {COUNT} closed {LENGTH}"
        assert await read_all(client, writer.ledger_id, recover=False) == PAYLOADS


@pytest.mark.parametrize("digest", JAVA_DIGESTS, ids=JAVA_DIGESTS.get)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("version", VERSIONS)
async def test_we_read_what_java_writes(
    bookies: ApacheBookies, version: int, sizes: tuple[int, int, int], digest: DigestType
) -> None:
    words = " ".join(map(str, sizes))
    name = JAVA_DIGESTS[digest]
    answer = await bookies.ask(f"write v{version} {words} {name} {COUNT} close")
    ledger_id = int(answer.removeprefix("ledger "))
    async with bookies.client(version=version) as client:
        assert await read_all(client, ledger_id, recover=True) == PAYLOADS


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("version", VERSIONS)
async def test_java_recovers_what_we_leave_open(
    bookies: ApacheBookies, version: int, sizes: tuple[int, int, int]
) -> None:
    async with bookies.client(version=version) as client:
        writer = await client.create(
            ensemble_size=sizes[0], write_quorum=sizes[1], ack_quorum=sizes[2], password=PASSWORD
        )
        writer.sink = sink = Confirmed()
        await append(writer, sink, 1000)
        await append(writer, sink, 1)  # the one before it is known as confirmed
        look = await bookies.ask(f"read v{version} {writer.ledger_id} CRC32C look")
        assert look.split()[:3] == ["read", "1000", "open"]
        answer = await bookies.ask(f"read v{version} {writer.ledger_id} CRC32C recover")
        assert answer.split()[:3] == ["read", "1001", "closed"]
        writer.add(payload(1001))
        await sink.wait(1002)
        assert isinstance(sink.error, LedgerFencedError)
        with pytest.raises(LedgerFencedError):
            await writer.close()
        assert len(await read_all(client, writer.ledger_id, recover=True)) == 1001


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("version", VERSIONS)
async def test_we_recover_what_java_leaves_open(
    bookies: ApacheBookies, version: int, sizes: tuple[int, int, int]
) -> None:
    words = " ".join(map(str, sizes))
    answer = await bookies.ask(f"write v{version} {words} CRC32C 1000 open")
    ledger_id = int(answer.removeprefix("ledger "))
    async with bookies.client(version=version) as client:
        reader = await client.open(ledger_id, password=PASSWORD, recover=False)
        assert not reader.closed
        before = reader.last_add_confirmed
        assert before < 1000
        assert await bookies.ask(f"append {ledger_id} 1") == "appended 1000"
        assert await reader.refresh() == 999
        with pytest.raises(NoSuchEntryError):
            await reader.read(1000, 1, 1000)
        found = await read_all(client, ledger_id, recover=True)
        assert found == [payload(number) for number in range(1001)]
        answer = await bookies.ask(f"append {ledger_id} 1")
        assert answer.startswith("failed BKLedgerFencedException"), answer
        answer = await bookies.ask(f"read v{version} {ledger_id} CRC32C look")
        assert answer.split()[:3] == ["read", "1001", "closed"]


async def test_explicit_lacs_are_seen_on_the_other_side(bookies: ApacheBookies) -> None:
    config = LedgerClientConfig(explicit_lac_interval_ms=100)
    async with bookies.client(version=3, config=config) as client:
        writer = await client.create(
            ensemble_size=3, write_quorum=3, ack_quorum=2, password=PASSWORD
        )
        writer.sink = sink = Confirmed()
        await append(writer, sink, 10)
        await asyncio.sleep(0.5)
        look = await bookies.ask(f"read v3 {writer.ledger_id} CRC32C look")
        assert look.split()[:3] == ["read", "10", "open"]
        await writer.close()
        answer = await bookies.ask("write v3lac 3 3 2 CRC32C 10 open")
        ledger_id = int(answer.removeprefix("ledger "))
        await asyncio.sleep(1)
        reader = await client.open(ledger_id, password=PASSWORD, recover=False)
        assert (reader.last_add_confirmed, reader.closed) == (9, False)


@pytest.mark.parametrize("sizes", SIZES)
async def test_we_defer_syncs_and_force(
    bookies: ApacheBookies, sizes: tuple[int, int, int]
) -> None:
    words = " ".join(map(str, sizes))
    assert (await bookies.ask(f"defer {words} 100")).split()[2:] == ["-1", "99"]
    async with bookies.client(version=3) as client:
        await defer_and_force(client, words, bookies)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("version", VERSIONS)
async def test_a_bookie_dies_under_our_writer(
    bookies: ApacheBookies, version: int, sizes: tuple[int, int, int]
) -> None:
    async with bookies.client(version=version) as client:
        writer = await client.create(
            ensemble_size=sizes[0], write_quorum=sizes[1], ack_quorum=sizes[2], password=PASSWORD
        )
        writer.sink = sink = Confirmed()
        await append(writer, sink, COUNT // 2)
        victim = int(writer.metadata.segments[0].bookies[1].rpartition(":")[2])
        stopping = asyncio.ensure_future(bookies.ask(f"stop {victim}"))
        while sink.count < COUNT and sink.error is None:
            await append(writer, sink, min(100, COUNT - sink.count))
        assert await stopping == "ok"
        await append(writer, sink, 100)
        segments = writer.metadata.segments
        assert len(segments) >= 2
        assert all(not b.endswith(f":{victim}") for b in segments[-1].bookies)
        metadata = await writer.close()
        assert metadata.last_entry_id == COUNT + 99
        found = await read_all(client, writer.ledger_id, recover=False)
        assert found == [payload(number) for number in range(COUNT + 100)]
        answer = await bookies.ask(f"read v{version} {writer.ledger_id} CRC32C look")
        assert answer.split()[:3] == ["read", str(COUNT + 100), "closed"]
        assert await bookies.ask(f"start {victim}") == "ok"
        await _registered(client, len(bookies.ports))


@pytest.mark.parametrize("version", VERSIONS)
async def test_recovery_with_a_bookie_down(bookies: ApacheBookies, version: int) -> None:
    """Of a ledger that Java left open, and that Java reads afterwards."""
    answer = await bookies.ask(f"write v{version} 3 3 2 CRC32C 1000 open")
    ledger_id = int(answer.removeprefix("ledger "))
    async with bookies.client(version=version) as client:
        reader = await client.open(ledger_id, password=PASSWORD, recover=False)
        victim = int(reader.metadata.segments[0].bookies[0].rpartition(":")[2])
        assert await bookies.ask(f"stop {victim}") == "ok"
        assert len(await read_all(client, ledger_id, recover=True)) == 1000
        answer = await bookies.ask(f"read v{version} {ledger_id} CRC32C look")
        assert answer.split()[:3] == ["read", "1000", "closed"]
        assert await bookies.ask(f"start {victim}") == "ok"
        await _registered(client, len(bookies.ports))


async def _registered(client: object, count: int) -> None:
    writable = client._tools.placement._writable  # type: ignore[attr-defined]
    async with asyncio.timeout(30):
        while len(await writable()) < count:
            await asyncio.sleep(0.1)
