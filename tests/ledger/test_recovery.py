"""Recovery over bookies: fencing, re-adds, other recoverers. Each scenario broke somebody once."""

import asyncio

import pytest
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.digest import lac_of
from magnetar_ledger.errors import (
    LedgerFencedError,
    LedgerMetadataError,
    NotEnoughBookiesError,
    UnauthorizedLedgerError,
)
from magnetar_ledger.reader import LedgerReader
from magnetar_ledger.writer import LedgerWriter
from magnetar_metadata.ledger_metadata import LedgerState, Segment
from magnetar_proto.bookie import FENCE, HIGH_PRIORITY, LAST_ENTRY, RECOVERY_ADD, Status

from tests.ledger.cluster import PASSWORD, Cluster, Confirmed, payload
from tests.ledger.fake_bookie import AddCall, ReadCall
from tests.ledger.virtual_time import run, turns, until


async def written(
    cluster: Cluster, count: int, sizes: tuple[int, int, int] = (3, 3, 2)
) -> tuple[LedgerWriter, Confirmed]:
    writer, sink = await cluster.writer(*sizes)
    for number in range(count):
        writer.add(payload(number))
        if number % 100 == 0:
            await turns()
    await turns()
    assert sink.count == count
    return writer, sink


async def recover(cluster: Cluster, ledger_id: int, seed: int = 2) -> LedgerReader:
    return await cluster.client(seed).open(ledger_id, password=PASSWORD, recover=True)


async def all_payloads(reader: LedgerReader) -> list[bytes]:
    found: list[bytes] = []
    while len(found) <= reader.last_add_confirmed:
        found += await reader.read(len(found), 100, 100_000)
    return found


@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 3, 2), (3, 3, 3), (4, 3, 2), (3, 2, 1)])
@pytest.mark.parametrize("count", [0, 1, 250])
def test_all_confirmed_entries_are_there_and_the_writer_is_fenced(
    sizes: tuple[int, int, int], count: int
) -> None:
    async def main() -> None:
        cluster = Cluster(4)
        writer, sink = await written(cluster, count, sizes)
        reader = await recover(cluster, writer.ledger_id)
        assert reader.closed
        assert reader.last_add_confirmed == count - 1
        assert reader.length == writer.length
        assert await all_payloads(reader) == [payload(i) for i in range(count)]
        writer.add(b"too late")
        await turns()
        assert isinstance(sink.error, LedgerFencedError)
        assert await cluster.metadata(writer.ledger_id) == reader.metadata

    run(main())


def test_an_entry_that_is_cut_is_not_in_the_length() -> None:
    """BookKeeper notes the length that it heard with the LAC, which counts it."""

    async def main() -> None:
        cluster = Cluster()
        writer, sink = await written(cluster, 3)
        cluster.hold()
        writer.add(payload(3))
        first, second, third = cluster.ensemble(writer)
        third.run_all()
        for bookie in (first, second):
            bookie.forget(bookie.pending[0])
        recovery = asyncio.ensure_future(recover(cluster, writer.ledger_id))
        await turns()
        first.run_all()  # the LAC reads: enough are that of the first and ...
        third.run_all()  # ... of the third, which tells LAC 2 and the length of four entries
        await turns()
        first.run_all()  # no entry 3, ...
        await turns()
        third.lose(third.pending[0], done=False)
        await turns()
        second.run_all()  # ... and with the second that is certain
        await turns()
        reader = await recovery  # what the first has told is enough
        assert reader.last_add_confirmed == 2
        assert reader.length == 3 * len(payload(0))
        assert sink.count == 3

    run(main())


def test_recovery_fences_before_it_reads_and_adds_with_the_right_flags() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        for number in range(3):
            writer.add(payload(number))
            await turns()
        for bookie in cluster.bookies.values():
            bookie.calls.clear()
        await recover(cluster, writer.ledger_id)
        calls = [call for bookie in cluster.bookies.values() for call in bookie.calls]
        reads = [call for call in calls if isinstance(call, ReadCall)]
        adds = [call for call in calls if isinstance(call, AddCall)]
        lac_reads = [read for read in reads if read.first_entry_id == LAST_ENTRY]
        assert len(lac_reads) == 3
        assert all(read.flags == FENCE and read.master_key for read in lac_reads)
        others = [read for read in reads if read.first_entry_id != LAST_ENTRY]
        assert others
        assert all(read.flags == FENCE | HIGH_PRIORITY and read.master_key for read in others)
        assert [add.entry_id for add in adds] == [2, 2, 2]  # the LAC that was heard of is 1
        assert all(add.flags == RECOVERY_ADD | HIGH_PRIORITY for add in adds)

    run(main())


def test_an_unconfirmed_entry_found_on_one_bookie_gets_its_quorum() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await written(cluster, 3)
        cluster.hold()
        writer.add(payload(3))
        first, second, third = cluster.ensemble(writer)  # the write set of entry 3
        first.run_all()
        for bookie in (second, third):
            bookie.forget(bookie.pending[0])
        cluster.hold(False)
        reader = await recover(cluster, writer.ledger_id)
        assert reader.last_add_confirmed == 3
        copies = sum(3 in b.entries[writer.ledger_id] for b in cluster.bookies.values())
        assert copies >= 2

    run(main())


def test_an_add_cannot_be_acknowledged_after_it_was_read_as_absent() -> None:
    """BookKeeper issue 2614: recovery reads must fence too.

    Ack quorum 2 of three bookies. 1. The writer's add of entry 3 reaches the third only, which
    acknowledges. 2. The LAC reads reach the first and the third: enough. The second is not fenced.
    3. Recovery reads entry 3 as absent on the first, the third does not answer now, and the second
    has none either: certain, and the ledger ends at 2. 4. The add reaches the second. If that
    acknowledged, the writer would report entry 3.
    """

    async def main() -> None:
        cluster = Cluster()
        writer, sink = await written(cluster, 3)
        cluster.hold()
        writer.add(payload(3))
        first, second, third = cluster.ensemble(writer)
        late_add = second.pending[0]
        first.forget(first.pending[0])
        third.run_all()
        recovery = asyncio.ensure_future(recover(cluster, writer.ledger_id))
        await turns()
        late_lac_read = second.pending[1]
        first.run_all()
        third.run_all()
        await turns()
        assert writer.ledger_id not in second.fenced
        first.run_all()
        await turns()
        third.lose(third.pending[0], done=False)
        await turns()
        (entry_read,) = (c for c in second.pending if c not in (late_add, late_lac_read))
        second.run(entry_read)
        await turns()
        assert (await recovery).last_add_confirmed == 2
        second.run(late_add)
        assert sink.count == 3
        assert isinstance(sink.error, LedgerFencedError)

    run(main())


@pytest.mark.parametrize("up", [True, False])
def test_a_new_segment_without_entries_is_not_searched_from_the_start(
    up: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """BookKeeper issue 2615, over bookies: the new ensemble has none of the old entries.

    Without the old bookies the end is as certain. Nobody knows the length then.
    """

    async def main() -> None:
        cluster = Cluster(6)
        writer, _ = await written(cluster, 5)
        old = cluster.ensemble(writer)
        others = tuple(name for name in cluster.bookies if name not in {b.name for b in old})
        segments = (*writer.metadata.segments, Segment(5, others))
        await cluster.meddle(writer.ledger_id, segments=segments)
        if not up:
            for bookie in old:
                bookie.answer = Status.UNAVAILABLE
        reader = await recover(cluster, writer.ledger_id)
        assert reader.last_add_confirmed == 4
        assert reader.length == (5 * len(payload(0)) if up else 0)
        assert ("ledger 0 is closed at entry 4 with a length that is a guess" in caplog.text) != up
        for bookie in old:
            bookie.answer = None
        assert await all_payloads(reader) == [payload(i) for i in range(5)]

    run(main())


def test_recovery_reads_the_bookies_of_its_start_though_re_adds_replace_some() -> None:
    """1. Entries 1-5 are beyond the LAC that recovery hears of. 2. Re-adding entry 1, a bookie
    fails and is replaced in the local ensemble. 3. If entry 2 were looked for on the replacement,
    it would count as a certain "no such entry".
    """

    async def main() -> None:
        cluster = Cluster(5, LedgerClientConfig(recovery_batch_entries=1))
        writer, sink = await written(cluster, 1, (3, 3, 3))
        for number in range(1, 6):
            writer.add(payload(number))
        await turns()
        assert sink.count == 6
        failing = cluster.ensemble(writer)[0]
        recovery = asyncio.ensure_future(recover(cluster, writer.ledger_id))
        original_add = failing._add_status

        def refuse_adds(call: AddCall) -> Status:
            return Status.READ_ONLY if call.flags & RECOVERY_ADD else original_add(call)

        failing._add_status = refuse_adds  # type: ignore[method-assign]
        reader = await recovery
        assert reader.last_add_confirmed == 5
        assert await all_payloads(reader) == [payload(i) for i in range(6)]
        assert failing.name not in reader.metadata.segments[-1].bookies
        assert reader.metadata == await cluster.metadata(writer.ledger_id)
        # In metadata only with CLOSED: the sets were "in recovery" and "closed".
        assert cluster.store.sets == 2

    run(main())


def test_a_recovery_that_fails_leaves_no_lac_of_its_own_ensemble() -> None:
    """1. A recovery adds entries again; a bookie fails and is replaced in its own ensemble, which
    confirms them. 2. It gives up. 3. If entries that it added said that the first ones are
    confirmed, the next recovery would begin behind them, and close the ledger with one copy less
    than an ack quorum on the bookies that metadata names.
    """

    async def main() -> None:
        cluster = Cluster(4, LedgerClientConfig(recovery_batch_entries=1))
        writer, _ = await cluster.writer(3, 3, 2)
        for number in range(3):
            writer.add(payload(number))
        cluster.hold()
        await turns()
        one, two, three = cluster.ensemble(writer)
        spare = next(b for b in cluster.bookies.values() if b not in (one, two, three))
        for bookie in (two, three):  # only the first bookie has the entries
            for call in list(bookie.pending):
                bookie.forget(call)
        cluster.hold(False)
        one.run_all()
        two._add_status = lambda call: Status.IO_ERROR  # type: ignore[method-assign]
        recovery = asyncio.ensure_future(recover(cluster, writer.ledger_id))
        await until(lambda: 2 in spare.entries.get(writer.ledger_id, ()))
        recovery.cancel()
        for bookie in cluster.bookies.values():
            for entry in bookie.entries.get(writer.ledger_id, {}).values():
                assert lac_of(entry) == -1

    run(main())


def test_recovery_without_enough_bookies_fails_and_can_be_tried_again() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await written(cluster, 5)
        down = cluster.ensemble(writer)[:2]
        for bookie in down:
            bookie.answer = Status.UNAVAILABLE
        with pytest.raises(NotEnoughBookiesError):
            await recover(cluster, writer.ledger_id)
        assert (await cluster.metadata(writer.ledger_id)).state is LedgerState.IN_RECOVERY
        for bookie in down:
            bookie.answer = None
        assert (await recover(cluster, writer.ledger_id)).last_add_confirmed == 4

    run(main())


def test_bookies_that_do_not_answer_end_the_recovery_at_the_deadline() -> None:
    async def main() -> None:
        cluster = Cluster(config=LedgerClientConfig(read_timeout_ms=1000))
        writer, _ = await written(cluster, 5)
        for bookie in cluster.ensemble(writer)[:2]:
            bookie.held = True
        start = cluster.clock.monotonic_ns()
        with pytest.raises(NotEnoughBookiesError):
            await recover(cluster, writer.ledger_id)
        assert (cluster.clock.monotonic_ns() - start) // 1_000_000 == 1000

    run(main())


def test_re_adds_without_a_replacement_fail_the_recovery() -> None:
    async def main() -> None:
        cluster = Cluster(3)
        writer, _ = await written(cluster, 5)
        for bookie in cluster.bookies.values():
            bookie._add_status = lambda call: Status.READ_ONLY  # type: ignore[method-assign]
        with pytest.raises(NotEnoughBookiesError):
            await recover(cluster, writer.ledger_id)
        assert (await cluster.metadata(writer.ledger_id)).state is LedgerState.IN_RECOVERY

    run(main())


def test_bookies_with_another_master_key_refuse() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await written(cluster, 1)
        for bookie in cluster.bookies.values():
            bookie.keys[writer.ledger_id] = b"?" * 20
        with pytest.raises(UnauthorizedLedgerError):
            await recover(cluster, writer.ledger_id)

    run(main())


def test_the_slower_of_two_recoverers_takes_the_result_of_the_quicker() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await written(cluster, 5)
        readers = await asyncio.gather(
            recover(cluster, writer.ledger_id, 2), recover(cluster, writer.ledger_id, 3)
        )
        assert readers[0].metadata == readers[1].metadata
        assert readers[0].last_add_confirmed == readers[1].last_add_confirmed == 4

    run(main())


def test_a_result_that_holds_already_is_taken_though_it_differs() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await written(cluster, 5)
        cluster.hold()
        recovery = asyncio.ensure_future(recover(cluster, writer.ledger_id))
        await turns()
        await cluster.meddle(writer.ledger_id, state=LedgerState.CLOSED, last_entry_id=3, length=28)
        cluster.hold(False)
        for bookie in cluster.bookies.values():
            bookie.run_all()
        reader = await recovery
        assert (reader.last_add_confirmed, reader.length) == (3, 28)

    run(main())


def test_a_segment_that_appears_during_recovery_is_a_conflict() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await written(cluster, 5)
        cluster.hold()
        recovery = asyncio.ensure_future(recover(cluster, writer.ledger_id))
        await turns()
        segments = (*writer.metadata.segments, Segment(5, ("x", "y", "z")))
        await cluster.meddle(writer.ledger_id, segments=segments)
        cluster.hold(False)
        for bookie in cluster.bookies.values():
            bookie.run_all()
        with pytest.raises(LedgerMetadataError):
            await recovery

    run(main())


@pytest.mark.parametrize("losses", [["after"], ["before"], ["", "after"], ["", "before"]])
def test_updates_of_unknown_outcome_are_looked_for(losses: list[str]) -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await written(cluster, 5)
        cluster.store.losses = list(losses)
        reader = await recover(cluster, writer.ledger_id)
        assert reader.last_add_confirmed == 4
        assert reader.metadata == await cluster.metadata(writer.ledger_id)

    run(main())


def test_a_cancelled_recovery_stops_adding() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await written(cluster, 5)
        recovery = asyncio.ensure_future(recover(cluster, writer.ledger_id))
        await until(
            lambda: any(
                isinstance(c, AddCall) and c.flags
                for b in cluster.bookies.values()
                for c in b.calls
            )
        )
        recovery.cancel()
        await turns(30)
        assert recovery.cancelled()
        assert (await cluster.metadata(writer.ledger_id)).state is LedgerState.IN_RECOVERY
        assert (await recover(cluster, writer.ledger_id)).last_add_confirmed == 4

    run(main())
