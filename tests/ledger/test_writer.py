"""Ensemble changes in metadata, and the close."""

import asyncio

import pytest
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.errors import (
    LedgerClosedError,
    LedgerError,
    LedgerFencedError,
    LedgerMetadataError,
    NoSuchLedgerError,
)
from magnetar_ledger.writer import LedgerWriter
from magnetar_metadata.ledger_metadata import LedgerState, Segment
from magnetar_metadata.store import Stat
from magnetar_proto.bookie import Status

from tests.ledger.cluster import PASSWORD, Cluster, Confirmed, payload
from tests.ledger.virtual_time import run, turns, until


def add(writer: LedgerWriter, count: int) -> None:
    for number in range(writer.entries_pushed, writer.entries_pushed + count):
        writer.add(payload(number))


async def failing_place(cluster: Cluster) -> tuple[LedgerWriter, Confirmed]:
    """A writer with five confirmed entries whose first bookie fails from now on."""
    writer, sink = await cluster.writer()
    add(writer, 5)
    await turns()
    cluster.ensemble(writer)[0].answer = Status.IO_ERROR
    return writer, sink


def test_a_clean_close_says_where_the_ledger_ends() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, sink = await cluster.writer()
        add(writer, 3)
        await turns()
        metadata = await writer.close()
        assert metadata == await cluster.metadata(writer.ledger_id) == writer.metadata
        assert (metadata.state, metadata.last_entry_id) == (LedgerState.CLOSED, 2)
        assert metadata.length == 3 * len(payload(0))
        assert writer.closed
        assert sink.error is None  # nothing was lost
        assert await writer.close() == metadata
        with pytest.raises(LedgerClosedError):
            writer.add(b"")

    run(main())


def test_an_empty_ledger_is_closed_at_minus_one() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        metadata = await writer.close()
        assert (metadata.last_entry_id, metadata.length) == (-1, 0)

    run(main())


def test_a_close_drops_what_is_pending_and_its_length() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, sink = await cluster.writer()
        add(writer, 2)
        await turns()
        cluster.hold()
        add(writer, 3)
        metadata = await writer.close()
        assert isinstance(sink.error, LedgerClosedError)
        assert (metadata.last_entry_id, metadata.length) == (1, 2 * len(payload(0)))
        for bookie in cluster.bookies.values():
            bookie.run_all()
        assert sink.count == 2

    run(main())


@pytest.mark.parametrize("losses", [["before"], ["after"], ["after", "before"]])
def test_a_close_of_unknown_outcome_is_looked_for(losses: list[str]) -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        cluster.store.losses = list(losses)
        metadata = await writer.close()
        assert metadata.closed
        assert metadata == await cluster.metadata(writer.ledger_id)

    run(main())


@pytest.mark.parametrize(
    "changes",
    [
        {"state": LedgerState.IN_RECOVERY},
        {"state": LedgerState.CLOSED, "last_entry_id": 7, "length": 70},
    ],
)
def test_a_ledger_in_recovery_is_not_closed_by_its_writer(changes: dict[str, object]) -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        await cluster.meddle(writer.ledger_id, **changes)
        with pytest.raises(LedgerFencedError):
            await writer.close()
        assert (await cluster.metadata(writer.ledger_id)).state is changes["state"]

    run(main())


def test_a_fenced_writer_does_not_try_to_close() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, sink = await cluster.writer()
        cluster.ensemble(writer)[0].fenced.add(writer.ledger_id)
        add(writer, 1)
        await turns()
        assert isinstance(sink.error, LedgerFencedError)
        with pytest.raises(LedgerFencedError):
            await writer.close()
        assert not (await cluster.metadata(writer.ledger_id)).closed

    run(main())


def test_closing_a_deleted_ledger() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        await cluster.registry.delete(writer.ledger_id)
        with pytest.raises(NoSuchLedgerError):
            await writer.close()

    run(main())


def test_nothing_is_confirmed_before_the_change_is_in_metadata() -> None:
    """BookKeeper issue 1591: entries confirmed on an ensemble that metadata does not know.

    1. A bookie fails; its replacement takes entries. 2. They are confirmed. 3. The writer crashes
    before the new segment is written: recovery looks at the old bookies, and closes without them.
    """

    async def main() -> None:
        cluster = Cluster(4)
        writer, sink = await failing_place(cluster)
        gate = asyncio.Event()
        real_set = cluster.store.set

        async def slow_set(path: str, value: bytes, version: int = -1) -> object:
            await gate.wait()
            return await real_set(path, value, version)

        cluster.store.set = slow_set  # type: ignore[method-assign, assignment]
        cluster.ensemble(writer)[1].held = True
        add(writer, 5)
        await turns(30)
        cluster.ensemble(writer)[1].run_all()  # two acks of three: a quorum
        await turns(30)
        assert sink.count == 5
        add(writer, 1)  # goes on pending
        gate.set()
        await until(lambda: sink.count == 11)
        segments = (await cluster.metadata(writer.ledger_id)).segments
        assert segments[-1].first_entry_id == 5

    run(main())


@pytest.mark.parametrize("losses", [["before"], ["after"], ["before", "after"]])
def test_a_change_of_unknown_outcome_is_looked_for(losses: list[str]) -> None:
    async def main() -> None:
        cluster = Cluster(4)
        writer, sink = await failing_place(cluster)
        cluster.store.losses = list(losses)
        cluster.ensemble(writer)[1].held = True
        add(writer, 1)
        await until(lambda: len(writer.metadata.segments) == 2)
        cluster.hold(False)
        cluster.ensemble(writer)[1].run_all()
        await until(lambda: sink.count == 6)
        assert (await cluster.metadata(writer.ledger_id)).segments == writer.metadata.segments

    run(main())


def test_a_change_that_stays_unknown_holds_nobody_up_and_is_adopted_later() -> None:
    async def main() -> None:
        cluster = Cluster(4, LedgerClientConfig(metadata_attempts=1))
        writer, sink = await failing_place(cluster)
        first = cluster.ensemble(writer)[0].name
        cluster.store.losses = ["after"]
        before = writer.metadata.segments
        add(writer, 1)
        await until(lambda: cluster.store.sets == 1)
        add(writer, 1)
        await until(lambda: sink.count == 7)
        assert writer.metadata.segments == before
        in_store = (await cluster.metadata(writer.ledger_id)).segments
        assert len(in_store) == 2
        await until(lambda: len(writer.metadata.segments) > 1)
        assert writer.metadata.segments[:2] == in_store
        assert first not in writer.metadata.segments[-1].bookies
        metadata = await writer.close()
        assert metadata.last_entry_id == 6
        reader = await cluster.client().open(writer.ledger_id, password=PASSWORD, recover=True)
        assert await reader.read(0, 5, 1000) == [payload(i) for i in range(5)]
        for entry_id in (5, 6):
            assert await reader.read(entry_id, 1, 1000) == [payload(entry_id)]

    run(main())


@pytest.mark.parametrize("reachable", [True, False])
def test_a_store_that_does_not_answer_is_waited_for_only_without_an_ack_quorum(
    reachable: bool,
) -> None:
    async def main() -> None:
        cluster = Cluster(5)
        writer, sink = await failing_place(cluster)
        if not reachable:
            cluster.ensemble(writer)[1].answer = Status.IO_ERROR
        gate = asyncio.Event()
        real_set = cluster.store.set

        async def stuck_set(path: str, value: bytes, version: int = -1) -> Stat:
            await gate.wait()
            return await real_set(path, value, version)

        cluster.store.set = stuck_set  # type: ignore[method-assign]
        add(writer, 1)
        await turns(30)
        add(writer, 1)
        await asyncio.sleep(10)
        assert sink.count == (7 if reachable else 5)
        assert sink.error is None
        gate.set()
        await until(lambda: len(writer.metadata.segments) == 2)
        add(writer, 1)
        await until(lambda: sink.count == 8)

    run(main())


def test_an_attempt_that_is_still_under_way_cannot_undo_a_later_one() -> None:
    """1. The change to segment A is written, unheard. 2. The change to B is on its way. 3. The
    writer chooses A again, and finds it there: if it wrote nothing, B could still come to stand
    there afterwards, and what A's new bookie alone has acknowledged would be lost.
    """

    async def main() -> None:
        cluster = Cluster(5)
        writer, _ = await failing_place(cluster)
        await turns()
        kept = writer.metadata.segments[0].bookies[1:]
        spare = [b for b in cluster.bookies if b not in writer.metadata.segments[0].bookies]
        one, other = (Segment(5, (b, *kept)) for b in spare)
        cluster.store.losses = ["after"]
        await writer._write_segment(one)
        writer._attempted |= {one, other}
        sets = cluster.store.sets
        await writer._write_segment(one)
        assert cluster.store.sets == sets + 1
        await writer._write_segment(one)
        assert cluster.store.sets == sets + 1
        writer._end(LedgerClosedError("enough"))

    run(main())


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"state": LedgerState.IN_RECOVERY}, LedgerFencedError),
        ({"state": LedgerState.CLOSED, "last_entry_id": 4}, LedgerFencedError),
        ({"segments": (Segment(0, ("x", "y", "z")),)}, LedgerFencedError),
    ],
)
def test_a_change_that_meets_another_client_ends_the_writer(
    changes: dict[str, object], error: type[LedgerError]
) -> None:
    async def main() -> None:
        cluster = Cluster(4)
        writer, sink = await failing_place(cluster)
        await cluster.meddle(writer.ledger_id, **changes)
        before = await cluster.metadata(writer.ledger_id)
        cluster.ensemble(writer)[1].held = True
        add(writer, 1)
        await until(lambda: sink.error is not None)
        assert isinstance(sink.error, error)
        assert await cluster.metadata(writer.ledger_id) == before

    run(main())


def test_a_change_adopts_what_others_did_to_earlier_segments() -> None:
    async def main() -> None:
        cluster = Cluster(5)
        writer, sink = await failing_place(cluster)
        cluster.ensemble(writer)[1].held = True
        add(writer, 1)
        await until(lambda: len(writer.metadata.segments) == 2)
        cluster.hold(False)
        cluster.ensemble(writer)[1].run_all()
        await until(lambda: sink.count == 6)
        moved = Segment(0, ("x", "y", "z"))
        await cluster.meddle(writer.ledger_id, segments=(moved, writer.metadata.segments[1]))
        cluster.ensemble(writer)[2].answer = Status.IO_ERROR
        add(writer, 1)
        await until(lambda: len(writer.metadata.segments) == 3 or sink.error is not None)
        assert sink.error is None
        assert writer.metadata.segments[0] == moved

    run(main())


def test_a_store_that_fails_ends_a_writer_without_an_ack_quorum() -> None:
    async def main() -> None:
        cluster = Cluster(4)
        writer, sink = await failing_place(cluster)
        await cluster.store.close()
        cluster.ensemble(writer)[1].answer = Status.IO_ERROR
        add(writer, 1)
        await until(lambda: sink.error is not None)
        assert isinstance(sink.error, LedgerMetadataError)
        assert sink.count == 5

    run(main())


def test_a_close_during_a_change_waits_for_it_and_wins() -> None:
    async def main() -> None:
        cluster = Cluster(4)
        writer, sink = await failing_place(cluster)
        cluster.ensemble(writer)[1].held = True
        add(writer, 1)
        while not writer._change.running:
            await asyncio.sleep(0)
        metadata = await writer.close()
        await turns(30)
        assert metadata == await cluster.metadata(writer.ledger_id) == writer.metadata
        assert metadata.last_entry_id == 4
        assert isinstance(sink.error, LedgerClosedError)

    run(main())


def test_a_reader_follows_its_writer() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        reader = writer.reader()
        assert (reader.last_add_confirmed, reader.closed) == (-1, False)
        add(writer, 3)
        await turns()
        assert await reader.read(0, 10, 1000) == [payload(i) for i in range(3)]
        await writer.close()
        assert (reader.last_add_confirmed, reader.closed) == (2, True)
        assert reader.length == writer.length

    run(main())
