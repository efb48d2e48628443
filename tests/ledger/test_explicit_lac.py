"""An idle writer's last entry is seen by readers that do not recover."""

import asyncio

from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.explicit_lac import read_lacs
from magnetar_ledger.lac_keeper import LacDone
from magnetar_proto.bookie import Status

from tests.ledger.cluster import PASSWORD, Cluster, Confirmed, payload
from tests.ledger.deferring_bookie import DeferringBookie
from tests.ledger.fake_bookie import FakeBookie
from tests.ledger.virtual_time import run, turns

INTERVAL_MS = 100


class KeepingBookie(FakeBookie):
    """Keeps explicit LACs."""

    def __init__(self, name: str = "bookie") -> None:
        super().__init__(name)
        self.lacs: dict[int, bytes] = {}
        self.written: list[int] = []
        self.keeps_lac = True
        self.silent = False

    def write_lac(
        self, ledger_id: int, lac: int, master_key: bytes, body: bytes, done: LacDone
    ) -> None:
        assert master_key == self.keys[ledger_id]
        self.lacs[ledger_id] = body
        self.written.append(lac)
        asyncio.get_running_loop().call_soon(done, Status.OK, None)

    def read_lac(self, ledger_id: int, done: LacDone) -> None:
        body = self.lacs.get(ledger_id)
        if not self.silent:
            status = Status.NO_ENTRY if body is None else Status.OK
            asyncio.get_running_loop().call_soon(done, status, body)


def cluster_of(interval_ms: int) -> tuple[Cluster, list[KeepingBookie]]:
    cluster = Cluster(config=LedgerClientConfig(explicit_lac_interval_ms=interval_ms))
    bookies = {name: KeepingBookie(name) for name in cluster.bookies}
    cluster.bookies.update(bookies)
    return cluster, list(bookies.values())


def test_an_idle_writer_tells_its_lac_once() -> None:
    async def main() -> None:
        cluster, bookies = cluster_of(INTERVAL_MS)
        writer, _ = await cluster.writer()
        for number in range(3):
            writer.add(payload(number))
        await turns()
        reader = await cluster.client().open(writer.ledger_id, password=PASSWORD, recover=False)
        assert reader.last_add_confirmed == -1
        await asyncio.sleep(1)
        assert [bookie.written for bookie in bookies] == [[2]] * 3
        assert await reader.refresh() == 2
        assert await reader.read(0, 3, 1000) == [payload(n) for n in range(3)]
        writer.add(payload(3))
        await asyncio.sleep(1)
        assert bookies[0].written == [2, 3]
        await writer.close()
        await asyncio.sleep(1)
        assert bookies[0].written == [2, 3]

    run(main())


def test_a_writer_with_entries_on_their_way_tells_nothing() -> None:
    async def main() -> None:
        cluster, bookies = cluster_of(INTERVAL_MS)
        writer, _ = await cluster.writer()
        writer.add(payload(0))
        await turns()
        cluster.hold()
        writer.add(payload(1))
        await asyncio.sleep(1)
        assert bookies[0].written == []

    run(main())


class Both(DeferringBookie, KeepingBookie):
    """As a bookie is that speaks version 3."""


def test_what_was_forced_is_told_while_later_entries_are_not() -> None:
    """None of these was sent after the force, so none carries what it confirmed."""

    async def main() -> None:
        cluster, _ = cluster_of(INTERVAL_MS)
        bookies = {name: Both(name) for name in cluster.bookies}
        cluster.bookies.update(bookies)
        writer = await cluster.client().create(
            ensemble_size=3, write_quorum=3, ack_quorum=2, password=PASSWORD, deferred_sync=True
        )
        writer.sink = Confirmed()
        writer.add(payload(0))
        await turns()
        for bookie in bookies.values():
            bookie.holds_forces = True
        force = asyncio.ensure_future(writer.force())
        await turns()
        writer.add(payload(1))
        await turns()
        for bookie in bookies.values():
            bookie.run_forces()
        await force
        await asyncio.sleep(1)
        assert [bookie.written for bookie in bookies.values()] == [[0]] * 3
        reader = await cluster.client().open(writer.ledger_id, password=PASSWORD, recover=False)
        assert await reader.refresh() == 0
        await writer.close()

    run(main())


def test_it_is_off_by_default() -> None:
    async def main() -> None:
        cluster, bookies = cluster_of(LedgerClientConfig().explicit_lac_interval_ms)
        writer, _ = await cluster.writer()
        writer.add(payload(0))
        await asyncio.sleep(10)
        assert bookies[0].written == []

    run(main())


def test_a_damaged_one_or_no_answer_is_none() -> None:
    async def main() -> None:
        cluster, bookies = cluster_of(INTERVAL_MS)
        writer, _ = await cluster.writer()
        writer.add(payload(0))
        writer.add(payload(1))
        await asyncio.sleep(1)
        ledger_id = writer.ledger_id
        bookies[0].lacs[ledger_id] = bookies[0].lacs[ledger_id][:-1] + b"?"
        bookies[1].silent = True
        assert len(await read_lacs(bookies, ledger_id, 100)) == 2
        bookies[2].keeps_lac = False
        reader = await cluster.client().open(ledger_id, password=PASSWORD, recover=False)
        assert reader.last_add_confirmed == -1
        bookies[2].keeps_lac = True
        assert await reader.refresh() == 1

    run(main())
