"""`magnetar ledger` and `magnetar bookie` beside BookKeeper's shell, on its bookies and on ours.

And files of one of three bookie processes spoilt under ledgers that both clients read.
"""

import asyncio
import json
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.servers import HOST, magnetar_command
from tests.crash.minority import Harm
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

COUNT = 1000
MENDED_TIMEOUT_S = 150.0  # a scrubber's first pass begins a minute after the start
LOGS = "data/ledgers-*/entries/*.log"
INDEXES = "data/ledgers-*/index/data.mdb"
JOURNALS = "data/journal/*.journal"


class Cluster:
    """A ZooKeeper with a Java client, and bookies of one kind."""

    def __init__(self, directory: Path, *, ours: int, apache: int) -> None:
        self.java = ApacheBookies(directory, bookies=apache)
        self.zookeeper = f"{HOST}:{self.java.zookeeper_port}"
        self.ours = [
            MagnetarBookie(directory / f"bookie-{n}", self.zookeeper, named=True)
            for n in range(ours)
        ]
        for bookie in self.ours:
            bookie.start()

    @property
    def ports(self) -> list[int]:
        return [each.port for each in self.ours] or self.java.ports

    def close(self) -> None:
        for bookie in self.ours:
            bookie.kill()
        self.java.close()

    def magnetar(self, *words: str, code: int = 0) -> str:
        """What a command prints."""
        done = subprocess.run(
            [*magnetar_command(), *words, "-md", f"zk:{self.zookeeper}"],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    def shell(self, words: str) -> str:
        answer = self.java.tell(f"shell {self.ports[0]} {words}")
        assert answer.startswith("exit 0 "), answer
        return answer

    def written(self, words: str) -> str:
        """A ledger of the Java client; its id."""
        answer = self.java.tell(f"write {words}")
        assert answer.startswith("ledger "), answer
        return answer.removeprefix("ledger ")


@pytest.fixture(scope="module", params=["ours", "apache"])
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    ours = 4 if request.param == "ours" else 0
    cluster = Cluster(tmp_path_factory.mktemp("cluster"), ours=ours, apache=4 - ours)
    yield cluster
    cluster.close()


@pytest.mark.parametrize("words", ["v2 3 3 2 CRC32C", "v3 3 2 2 MAC"])
def test_read_beside_readledger(cluster: Cluster, words: str) -> None:
    ledger = cluster.written(f"{words} {COUNT} close")
    lines = cluster.magnetar("ledger", "read", ledger).splitlines()
    assert len(lines) == COUNT
    assert lines[99] == "entry 99, 8 bytes: entry-99"
    some = cluster.magnetar("ledger", "read", ledger, "-fe", "90", "-le", "99", "-o", "json")
    rows = [json.loads(line) for line in some.splitlines()]
    theirs = cluster.shell(f"readledger -ledgerid {ledger} -fe 90 -le 99 -msg")
    for row in rows:
        assert row["payload"] in theirs
    assert [row["entry"] for row in rows] == list(range(90, 100))


def test_verify_and_read_from_one_bookie(cluster: Cluster) -> None:
    ledger = cluster.written(f"v2 4 4 2 CRC32 {COUNT} close")
    assert cluster.magnetar("ledger", "verify", ledger) == (
        f"ledger {ledger}: {COUNT} entries, {4 * COUNT} copies\n"
    )
    bookie = f"{HOST}:{cluster.ports[1]}"
    assert len(cluster.magnetar("ledger", "read", ledger, "-b", bookie).splitlines()) == COUNT


def test_recover_fences_the_java_writer(cluster: Cluster) -> None:
    ledger = cluster.written(f"v2 3 3 2 CRC32C {COUNT} open")
    told = cluster.magnetar("ledger", "recover", ledger)
    assert told.startswith(f"ledger {ledger} was OPEN: its writer is fenced; it is closed at entry")
    answer = cluster.java.tell(f"append {ledger} 1")
    assert answer.startswith("failed BKLedgerFencedException"), answer
    answer = cluster.java.tell(f"read v2 {ledger} CRC32C look")
    assert answer.split()[:3] == ["read", str(COUNT), "closed"]


def test_delete_beside_listledgers(cluster: Cluster) -> None:
    ledger = cluster.written("v2 3 3 2 CRC32C 10 close")
    cluster.shell(f"ledgermetadata -ledgerid {ledger}")
    cluster.magnetar("ledger", "delete", ledger, "--yes")
    answer = cluster.java.tell(f"read v2 {ledger} CRC32C look")
    assert answer.startswith("failed "), answer
    cluster.magnetar("ledger", "delete", ledger, "--yes", code=1)


def test_list_and_sanity_beside_the_shells(cluster: Cluster) -> None:
    rows = json.loads(cluster.magnetar("bookie", "list", "-o", "json"))
    ids = sorted(f"{HOST}:{port}" for port in cluster.ports)
    assert [(row["bookie"], row["state"], row["address"]) for row in rows] == [
        (each, "writable", each) for each in ids
    ]
    assert all(0 < row["free"] <= row["total"] for row in rows)
    cluster.shell("listbookies -rw -h")
    cluster.shell("bookieinfo")
    assert cluster.magnetar("bookie", "sanity").count(" ok ") == 4
    cluster.shell("bookiesanity -e 10 -t 5")


def test_read_only_by_its_http(cluster: Cluster) -> None:
    bookie = f"{HOST}:{cluster.ports[0]}"
    if not cluster.ours:
        cluster.magnetar("bookie", "read-only", "show", bookie, code=1)  # serves no HTTP here
        return
    cluster.magnetar("bookie", "read-only", "on", bookie)
    (row,) = json.loads(cluster.magnetar("bookie", "list", "-ro", "-o", "json"))
    assert row["bookie"] == bookie
    cluster.shell("listbookies -ro")
    assert cluster.magnetar("bookie", "read-only", "off", bookie).endswith("is writable\n")


def test_one_of_three_processes_is_spoilt(tmp_path: Path) -> None:
    """Killed, its files flipped and cut, started again: nothing is false, nothing closed short, and
    every copy is whole within the time of a pass, though nobody tells it to."""
    cluster = Cluster(tmp_path, ours=3, apache=0)
    try:
        ledgers = asyncio.run(_written(cluster))
        victim = cluster.ours[1]
        victim.kill()
        files = sorted(
            path for name in (LOGS, INDEXES, JOURNALS) for path in victim.directory.glob(name)
        )
        harm = Harm(random.Random(7))
        harm.spoil(files, 40)
        victim.start()
        asyncio.run(_read_by_both(cluster, ledgers))
        deadline_s = time.monotonic() + MENDED_TIMEOUT_S
        for ledger in ledgers:
            while (bad := _bad_copies(cluster, ledger)) and time.monotonic() < deadline_s:
                time.sleep(2)
            assert not bad, (bad, harm.done)
        assert "scrub_entries_mended_total 0\n" not in victim.get("/metrics")
    finally:
        cluster.close()


async def _written(cluster: Cluster) -> list[int]:
    """Ledgers of our client, the last one open."""
    ledgers = []
    async with cluster.java.client() as client:
        for write_quorum in (3, 2, 3):
            writer = await client.create(
                ensemble_size=3, write_quorum=write_quorum, ack_quorum=2, password=PASSWORD
            )
            writer.sink = sink = Confirmed()
            await append(writer, sink, 20 * COUNT)
            ledgers.append(writer.ledger_id)
            if len(ledgers) < 3:
                await writer.close()
            await asyncio.sleep(0)
    return ledgers


async def _read_by_both(cluster: Cluster, ledgers: list[int]) -> None:
    expected = [payload(number) for number in range(20 * COUNT)]
    async with cluster.java.client() as client:
        for ledger in ledgers:
            assert await read_all(client, ledger, recover=True) == expected
    for ledger in ledgers:
        answer = await cluster.java.ask(f"read v2 {ledger} CRC32C look")
        assert answer.split()[:3] == ["read", str(20 * COUNT), "closed"]


def _bad_copies(cluster: Cluster, ledger: int) -> str:
    done = subprocess.run(
        [*magnetar_command(), "ledger", "verify", str(ledger), "-md", f"zk:{cluster.zookeeper}"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr
