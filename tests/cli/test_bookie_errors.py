"""What a `magnetar bookie` process says when something is wrong: clear words, and nothing lost."""

import asyncio
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from magnetar_metadata.cookies import CookieRegistry
from magnetar_metadata.metadata_url import open_store
from magnetar_proto.bookie import LAST_ENTRY, Status
from magnetar_proto.bookkeeper.requests import VERSION_2, VERSION_3, ReadRequest, Request
from magnetar_proto.bookkeeper.responses import Response
from magnetar_proto.bookkeeper.stream import ResponseStream
from magnetar_runtime.clock import SystemClock

from tests.hostile.bookie_peer import HOST, MAX_FRAME_BYTES, add_of, encoded
from tests.hostile.lone_bookie import LoneBookie

LEDGER = 7
BOOKIE = "127.0.0.1:3181"
END_S = 30.0


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[LoneBookie, Path]:
    """A bookie that has kept an entry and stands still, and a copy of all that it has."""
    directory = tmp_path_factory.mktemp("bookie")
    server = LoneBookie(directory / "used", {"bookieId": BOOKIE})
    server.directory.mkdir()
    server.init_cluster()
    server.start()
    assert [each.status for each in ask(server, add_of(LEDGER, 0))] == [Status.OK]
    assert server.stop() == 0
    shutil.copytree(server.directory, directory / "kept")
    return server, directory / "kept"


@pytest.fixture
def bookie(filled: tuple[LoneBookie, Path]) -> Iterator[LoneBookie]:
    """That bookie as it was."""
    server, kept = filled
    settings = dict(server.settings)
    shutil.rmtree(server.directory)
    shutil.copytree(kept, server.directory)
    yield server
    server.kill()
    server.settings = settings


def ask(server: LoneBookie, *requests: Request) -> list[Response]:
    """Answers in their order; adds and reads of one kind keep theirs."""
    with socket.create_connection((HOST, server.port), END_S) as peer:
        peer.sendall(encoded(*requests))
        stream, found = ResponseStream(MAX_FRAME_BYTES), list[Response]()
        while len(found) < len(requests):
            data = peer.recv(1 << 16)
            assert data, "closed"
            found += stream.feed(data)
    return found


def read(entry_id: int, version: int = VERSION_2) -> ReadRequest:
    return ReadRequest(version, 0, 0, LEDGER, entry_id)


def end_of(server: LoneBookie) -> tuple[int, str]:
    """Starts it, and waits until it has ended by itself."""
    process = server.launch()
    code = process.wait(END_S)
    server.process = None
    output = process.output()
    assert "Traceback" not in output
    return code, output


def test_a_wiped_disk_of_a_known_bookie(bookie: LoneBookie) -> None:
    shutil.rmtree(bookie.data_directory)
    code, output = end_of(bookie)
    assert code == 1
    assert f"the cluster knows bookie {BOOKIE} with 1 ledger directories" in output
    assert "entries are lost, or a disk is not mounted" in output
    assert list(bookie.data_directory.iterdir()) == [], "it begins nothing in their place"


@pytest.mark.parametrize("name", ["journal", "ledgers"])
def test_one_wiped_directory(bookie: LoneBookie, name: str) -> None:
    kept = bookie.directory / "kept"
    shutil.move(bookie.data_directory / name, kept)
    code, output = end_of(bookie)
    assert code == 1
    assert "cannot start" in output
    shutil.rmtree(bookie.data_directory / name, ignore_errors=True)
    shutil.move(kept, bookie.data_directory / name)
    bookie.start()
    assert ask(bookie, read(0))[0].status is Status.OK


def test_another_instance_id(bookie: LoneBookie) -> None:
    async def change(instance_id: bytes) -> bytes:
        async with open_store(bookie.metadata_url, SystemClock()) as store:
            node = await store.get("/ledgers/INSTANCEID")
            assert node is not None
            await store.set("/ledgers/INSTANCEID", instance_id)
            return node.value

    before = asyncio.run(change(b"another"))
    code, output = end_of(bookie)
    assert code == 1
    assert f"is of the cluster with instance id {before.decode()}" in output
    assert "the metadata is that of another" in output
    asyncio.run(change(before))
    bookie.start()
    assert ask(bookie, read(0))[0].status is Status.OK


def test_a_bookie_that_was_removed_from_the_cluster(bookie: LoneBookie) -> None:
    async def remove() -> None:
        async with open_store(bookie.metadata_url, SystemClock()) as store:
            await CookieRegistry(store).delete(BOOKIE)

    asyncio.run(remove())
    code, output = end_of(bookie)
    assert code == 1
    assert f"the cluster has no cookie of bookie {BOOKIE}: it was removed" in output


def test_directories_of_another_bookie(bookie: LoneBookie) -> None:
    bookie.settings["bookieId"] = "127.0.0.1:9999"
    code, output = end_of(bookie)
    assert code == 1
    assert f"the directories are of bookie {BOOKIE}, not of 127.0.0.1:9999" in output


def test_a_certificate_that_is_not_there(bookie: LoneBookie) -> None:
    bookie.settings |= {
        "tlsProviderFactoryClass": "org.apache.bookkeeper.tls.TLSContextFactory",
        "tlsKeyStoreType": "PEM",
        "tlsKeyStore": "/nowhere/key.pem",
        "tlsCertificatePath": "/nowhere/cert.pem",
    }
    code, output = end_of(bookie)
    assert code == 2
    assert "/nowhere/cert.pem" in output


def test_a_wrong_master_key_and_garbage_cost_nobody_anything(bookie: LoneBookie) -> None:
    bookie.start()
    for version in (VERSION_2, VERSION_3):
        (answer,) = ask(bookie, add_of(LEDGER, 1, version, key=b"o" * 20))
        assert answer.status is Status.UNAUTHORIZED
    for frame in (
        b"\xff" * 64,
        bytes.fromhex("0000000402ff0000"),
        b"\x00\x00\x00\x08\x0a" + b"\xff" * 7,
    ):
        with socket.create_connection((HOST, bookie.port), END_S) as peer:
            peer.sendall(frame)
            assert peer.recv(100) == b"", "it is closed"
    answers = ask(bookie, add_of(LEDGER, 1), read(0), read(LAST_ENTRY), read(5))
    statuses = sorted(each.status for each in answers)
    assert statuses == [Status.OK, Status.OK, Status.OK, Status.NO_ENTRY]
    assert bookie.process is not None
    assert bookie.process.output().count("\n") == 1, "the readiness line alone"
    assert bookie.stop() == 0


def test_a_disk_that_counts_as_full(bookie: LoneBookie) -> None:
    bookie.settings |= {"diskUsageThreshold": "0.0001", "diskUsageWarnThreshold": "0.0001"}
    bookie.start()
    answers = ask(bookie, add_of(LEDGER, 1), read(0), read(1))
    statuses = sorted(each.status for each in answers)
    assert statuses == [Status.OK, Status.NO_ENTRY, Status.READ_ONLY]
    assert bookie.process is not None
    assert "the disk is full" in bookie.process.output()
    assert "the bookie is read-only" in bookie.process.output()
    assert bookie.stop() == 0
