"""Adds that are told before they are durable, and the force behind them."""

import asyncio

import pytest
from magnetar_ledger.appends import Appends
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.deferred_writer import DeferredWriter
from magnetar_ledger.errors import LedgerClosedError, LedgerFencedError, NotEnoughBookiesError
from magnetar_proto.bookie import DEFERRED_SYNC, Status

from tests.ledger.cluster import PASSWORD, Cluster, Confirmed, payload
from tests.ledger.deferring_bookie import DeferringBookie
from tests.ledger.fake_bookie import AddCall
from tests.ledger.virtual_time import run, turns, until


def cluster_of(
    count: int, config: LedgerClientConfig | None = None
) -> tuple[Cluster, list[DeferringBookie]]:
    cluster = Cluster(count, config)
    bookies = {name: DeferringBookie(name) for name in cluster.bookies}
    cluster.bookies.update(bookies)
    return cluster, list(bookies.values())


async def writer_of(
    cluster: Cluster, ensemble: int = 3, write: int = 3, ack: int = 2
) -> tuple[DeferredWriter, Confirmed]:
    writer = await cluster.client().create(
        ensemble_size=ensemble,
        write_quorum=write,
        ack_quorum=ack,
        password=PASSWORD,
        deferred_sync=True,
    )
    assert isinstance(writer, DeferredWriter)
    writer.sink = sink = Confirmed()
    return writer, sink


def place_of(cluster: Cluster, writer: DeferredWriter, place: int) -> DeferringBookie:
    bookie = cluster.ensemble(writer)[place]
    assert isinstance(bookie, DeferringBookie)
    return bookie


def add(writer: DeferredWriter, count: int) -> None:
    writer.add_all([payload(writer.entries_pushed + i) for i in range(count)])


def test_entries_are_told_at_once_and_confirmed_by_a_force() -> None:
    async def main() -> None:
        cluster, bookies = cluster_of(3)
        writer, sink = await writer_of(cluster)
        add(writer, 5)
        await turns()
        assert (sink.count, writer.last_add_confirmed) == (5, -1)
        flags = {call.flags for b in bookies for call in b.calls if isinstance(call, AddCall)}
        assert flags == {DEFERRED_SYNC}
        reader = await cluster.client().open(writer.ledger_id, password=PASSWORD, recover=False)
        assert reader.last_add_confirmed == -1
        await writer.force()
        assert (writer.last_add_confirmed, writer.length) == (4, 5 * len(payload(0)))
        assert [len(b.durable[writer.ledger_id]) for b in bookies] == [5] * 3
        await writer.force()  # nothing new: nobody is asked
        assert [b.forced for b in bookies] == [1] * 3
        metadata = await writer.close()
        assert metadata.last_entry_id == 4
        assert sink.error is None

    run(main())


def test_a_close_ends_the_ledger_at_the_last_force() -> None:
    async def main() -> None:
        cluster, _ = cluster_of(3)
        writer, sink = await writer_of(cluster)
        add(writer, 3)
        await turns()
        await writer.force()
        add(writer, 2)
        await turns()
        assert sink.count == 5
        assert (await writer.close()).last_entry_id == 2
        assert isinstance(sink.error, LedgerClosedError)
        with pytest.raises(LedgerClosedError):
            await writer.force()

    run(main())


def test_a_force_waits_for_every_bookie_and_covers_what_was_told_before_it() -> None:
    async def main() -> None:
        cluster, bookies = cluster_of(3)
        writer, sink = await writer_of(cluster)
        bookies[0].held = True  # an ack quorum without it
        add(writer, 2)
        await turns()
        assert sink.count == 2
        force = asyncio.ensure_future(writer.force())
        await turns()
        assert [len(b.forces) + b.forced for b in bookies] == [0, 1, 1]  # it owes acks
        add(writer, 1)
        await turns()
        assert not force.done()
        bookies[0].held = False
        bookies[0].run_all()
        await force
        assert writer.last_add_confirmed == 1
        await writer.force()
        assert writer.last_add_confirmed == 2

    run(main())


def test_several_forces_are_answered_by_one() -> None:
    async def main() -> None:
        cluster, bookies = cluster_of(3)
        writer, _ = await writer_of(cluster)
        add(writer, 2)
        await turns()
        await asyncio.gather(*(writer.force() for _ in range(5)))
        assert [b.forced for b in bookies] == [1] * 3

    run(main())


@pytest.mark.parametrize("quorum", [(3, 3, 2), (4, 3, 2), (4, 2, 2)])
def test_another_bookie_takes_the_place_and_gets_what_was_not_forced(
    quorum: tuple[int, int, int],
) -> None:
    async def main() -> None:
        cluster, _ = cluster_of(6)
        writer, sink = await writer_of(cluster, *quorum)
        add(writer, 8)
        await turns()
        assert sink.count == 8
        failing = place_of(cluster, writer, 0)
        failing.answer = Status.UNAVAILABLE
        await writer.force()
        assert writer.last_add_confirmed == 7
        await until(lambda: failing.name not in writer.metadata.segments[-1].bookies)
        await writer.close()
        for bookie in cluster.bookies.values():
            assert isinstance(bookie, DeferringBookie)
            bookie.lose_power()
        failing.answer = Status.UNAVAILABLE
        reader = await cluster.client().open(writer.ledger_id, password=PASSWORD, recover=True)
        for number in range(8):
            found = await reader.read(number, max_entries=1, max_bytes=1 << 20)
            assert found == [payload(number)]

    run(main())


def test_a_bookie_that_was_away_in_between_is_not_believed() -> None:
    """It has lost what it answered, and has nothing to force: its OK would be no promise."""

    async def main() -> None:
        cluster, bookies = cluster_of(4)
        writer, sink = await writer_of(cluster)
        add(writer, 3)
        await turns()
        assert sink.count == 3
        lost = place_of(cluster, writer, 1)
        lost.lose_power()
        add(writer, 1)
        await turns()
        await writer.force()
        assert lost.name not in writer.metadata.segments[-1].bookies
        assert writer.last_add_confirmed == 3
        durable = [sorted(b.durable.get(writer.ledger_id, ())) for b in bookies if b is not lost]
        assert durable.count([0, 1, 2, 3]) >= 2

    run(main())


def test_a_bookie_that_was_away_when_nothing_was_open_keeps_its_place() -> None:
    async def main() -> None:
        cluster, _ = cluster_of(4)
        writer, _ = await writer_of(cluster)
        add(writer, 3)
        await turns()
        await writer.force()
        place_of(cluster, writer, 1).lose_power()
        ensemble = writer.metadata.segments[-1].bookies
        add(writer, 1)
        await turns()
        await writer.force()
        assert writer.metadata.segments[-1].bookies == ensemble

    run(main())


def test_a_writer_that_is_never_asked_forces_before_it_keeps_too_much() -> None:
    async def main() -> None:
        cluster, bookies = cluster_of(3, LedgerClientConfig(max_pending_bytes=1_000))
        writer, sink = await writer_of(cluster)
        log = Appends(writer)
        for number in range(40):
            assert await log.append(b"x" * 100) == number
        assert writer.last_add_confirmed >= 29
        assert all(b.forced < 20 for b in bookies)
        assert sink.error is None

    run(main())


def test_what_came_during_a_force_is_forced_behind_it_if_it_is_much() -> None:
    """Scenario: a force is slow, entries fill the writer meanwhile and have all their acks when it
    ends. No ack comes after that, and no add, as the writer is not writable."""

    async def main() -> None:
        cluster, bookies = cluster_of(3, LedgerClientConfig(max_pending_bytes=1_000))
        writer, sink = await writer_of(cluster)
        writer.add(b"x" * 100)
        await turns()
        for bookie in bookies:
            bookie.holds_forces = True
        force = asyncio.ensure_future(writer.force())
        await turns()
        while writer.writable:
            writer.add(b"x" * 300)
            await turns()
        told = sink.count
        for bookie in bookies:
            bookie.holds_forces = False
            bookie.run_forces()
        await force
        await turns()
        assert writer.writable
        assert writer.last_add_confirmed == told - 1

    run(main())


def test_a_force_ends_with_its_writer() -> None:
    async def main() -> None:
        cluster, bookies = cluster_of(3)
        writer, sink = await writer_of(cluster)
        add(writer, 1)
        await turns()
        for bookie in bookies:
            bookie.holds_forces = True
        force = asyncio.ensure_future(writer.force())
        await turns()
        for bookie in bookies:
            bookie.fenced.add(writer.ledger_id)
        add(writer, 1)
        with pytest.raises(LedgerFencedError):
            await force
        assert isinstance(sink.error, LedgerFencedError)
        for bookie in bookies:
            bookie.run_forces()
        assert writer.last_add_confirmed == -1

    run(main())


def test_without_a_quorum_a_force_fails() -> None:
    async def main() -> None:
        cluster, bookies = cluster_of(3)
        writer, sink = await writer_of(cluster)
        add(writer, 1)
        await turns()
        for bookie in bookies[:2]:
            bookie.answer = Status.UNAVAILABLE
        with pytest.raises(NotEnoughBookiesError):
            await writer.force()
        await until(lambda: sink.error is not None)
        assert writer.last_add_confirmed == -1

    run(main())


def test_bookies_that_cannot_are_refused_before_anything_is_made() -> None:
    async def main() -> None:
        cluster = Cluster(3)
        with pytest.raises(NotEnoughBookiesError, match="version 3"):
            await writer_of(cluster)
        assert await cluster.registry.list_ids() == []

    run(main())
