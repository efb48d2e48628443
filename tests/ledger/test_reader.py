"""Reads: batches, stripes, segments, and the next replica when one fails."""

import asyncio
from dataclasses import replace

import pytest
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.errors import (
    DigestMismatchError,
    EntryUnreadableError,
    LedgerError,
    LedgerFencedError,
    NoSuchEntryError,
)
from magnetar_ledger.reader import LedgerReader
from magnetar_ledger.writer import LedgerWriter
from magnetar_metadata.ledger_metadata import DigestType, LedgerMetadata, Segment
from magnetar_proto.bookie import Status

from tests.ledger.cluster import PASSWORD, Cluster, payload
from tests.ledger.fake_bookie import FakeBookie, ReadCall
from tests.ledger.virtual_time import run, turns, until


async def written(
    cluster: Cluster, count: int, sizes: tuple[int, int, int] = (3, 3, 2)
) -> tuple[LedgerWriter, LedgerReader]:
    writer, sink = await cluster.writer(*sizes)
    for number in range(count):
        writer.add(payload(number))
    await turns()
    assert sink.count == count
    return writer, writer.reader()


def payloads(first: int, end: int) -> list[bytes]:
    return [payload(number) for number in range(first, end)]


def reads_of(bookie: FakeBookie) -> list[tuple[int, int]]:
    return [(c.first_entry_id, c.max_entries) for c in bookie.calls if isinstance(c, ReadCall)]


def spoil(bookie: FakeBookie, ledger_id: int, entry_id: int) -> None:
    entry = bookie.entries[ledger_id][entry_id]
    bookie.entries[ledger_id][entry_id] = entry[:-1] + b"?"


def test_one_call_reads_a_batch_from_the_first_of_the_write_set() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, reader = await written(cluster, 10)
        assert await reader.read(1, 5, 10_000) == payloads(1, 6)
        ensemble = cluster.ensemble(writer)
        assert [reads_of(b) for b in ensemble] == [[], [(1, 5)], []]

    run(main())


def test_reading_stops_at_the_last_confirmed_entry() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, reader = await written(cluster, 3)
        cluster.hold()
        writer.add(b"not confirmed")
        first, *others = cluster.ensemble(writer)
        first.run_all()  # one ack of two
        for bookie in others:
            bookie.forget(bookie.pending[0])
        cluster.hold(False)
        assert await reader.read(1, 10, 10_000) == payloads(1, 3)
        for entry_id in (3, 4, -1):
            with pytest.raises(NoSuchEntryError):
                await reader.read(entry_id, 10, 10_000)

    run(main())


def test_max_bytes_is_kept_but_for_the_first_entry() -> None:
    async def main() -> None:
        _, reader = await written(Cluster(), 5)
        assert await reader.read(0, 5, 1) == payloads(0, 1)
        assert await reader.read(0, 5, 100) == payloads(0, 2)  # of 43 bytes each

    run(main())


@pytest.mark.parametrize(
    "status", [Status.IO_ERROR, Status.NO_ENTRY, Status.NO_LEDGER, Status.UNAVAILABLE]
)
def test_the_next_replica_is_asked_when_one_fails(status: Status) -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, reader = await written(cluster, 5)
        cluster.ensemble(writer)[0].answer = status
        assert await reader.read(0, 5, 10_000) == payloads(0, 5)
        cluster.ensemble(writer)[1].answer = Status.TOO_MANY_REQUESTS
        assert await reader.read(0, 5, 10_000) == payloads(0, 5)

    run(main())


def test_a_replica_that_does_not_answer_costs_the_timeout() -> None:
    async def main() -> None:
        cluster = Cluster(config=LedgerClientConfig(read_timeout_ms=500))
        writer, reader = await written(cluster, 5)
        cluster.ensemble(writer)[0].held = True
        start = cluster.clock.monotonic_ns()
        assert await reader.read(0, 5, 10_000) == payloads(0, 5)
        assert (cluster.clock.monotonic_ns() - start) // 1_000_000 == 500

    run(main())


def test_a_spoiled_entry_is_read_from_another_replica() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, reader = await written(cluster, 5)
        spoil(cluster.ensemble(writer)[0], writer.ledger_id, 0)
        assert await reader.read(0, 5, 10_000) == payloads(0, 5)
        spoil(cluster.ensemble(writer)[1], writer.ledger_id, 3)
        # A batch ends before the spoiled one; the next read begins with it.
        assert await reader.read(1, 5, 10_000) == payloads(1, 3)
        assert await reader.read(3, 5, 10_000) == payloads(3, 5)

    run(main())


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([Status.NO_ENTRY, Status.NO_LEDGER, Status.NO_ENTRY], NoSuchEntryError),
        ([Status.NO_ENTRY, Status.IO_ERROR, Status.NO_ENTRY], EntryUnreadableError),
        ([Status.NO_ENTRY, None, Status.NO_ENTRY], DigestMismatchError),
        ([None, Status.TIMEOUT, None], EntryUnreadableError),
    ],
)
def test_when_all_replicas_fail_missing_is_said_only_if_it_is_certain(
    answers: list[Status | None], error: type[LedgerError]
) -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, reader = await written(cluster, 1)
        for bookie, answer in zip(cluster.ensemble(writer), answers, strict=True):
            spoil(bookie, writer.ledger_id, 0)
            bookie.answer = answer
        with pytest.raises(error):
            await reader.read(0, 1, 100)

    run(main())


@pytest.mark.parametrize("sizes", [(3, 2, 2), (4, 2, 1), (3, 1, 1)])
def test_striped_entries_come_from_their_own_write_sets(sizes: tuple[int, int, int]) -> None:
    async def main() -> None:
        cluster = Cluster(4)
        _, reader = await written(cluster, 20, sizes)
        assert await reader.read(3, 10, 10_000) == payloads(3, 13)
        assert all(count == 1 for b in cluster.bookies.values() for _, count in reads_of(b))
        assert await reader.read(3, 10, 20) == payloads(3, 5)  # payload bytes: 2 * 7 fit
        assert await reader.read(3, 1, 1) == payloads(3, 4)

    run(main())


def test_a_striped_read_ends_before_an_entry_that_fails() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, reader = await written(cluster, 6, (3, 1, 1))
        cluster.ensemble(writer)[2].answer = Status.IO_ERROR
        assert await reader.read(0, 6, 10_000) == payloads(0, 2)
        with pytest.raises(EntryUnreadableError):
            await reader.read(2, 6, 10_000)

    run(main())


def test_not_too_many_striped_reads_are_under_way_at_once() -> None:
    async def main() -> None:
        cluster = Cluster(config=LedgerClientConfig(striped_read_entries=4))
        _, reader = await written(cluster, 10, (3, 2, 2))
        assert await reader.read(0, 10, 10_000) == payloads(0, 4)

    run(main())


def test_a_read_stays_within_a_segment() -> None:
    async def main() -> None:
        cluster = Cluster(2)
        writer, reader = await written(cluster, 5, (1, 1, 1))
        old = cluster.ensemble(writer)[0]
        old.answer = Status.READ_ONLY
        for number in range(5, 10):
            writer.add(payload(number))
        await until(lambda: writer.last_add_confirmed == 9)
        old.answer = None
        assert await reader.read(2, 10, 10_000) == payloads(2, 5)
        assert await reader.read(5, 10, 10_000) == payloads(5, 10)

    run(main())


@pytest.mark.parametrize("digest", DigestType)
def test_all_digests_are_read(digest: DigestType) -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer(digest=digest)
        writer.add(b"")
        writer.add(b"x")
        await turns()
        assert await writer.reader().read(0, 2, 1000) == [b"", b"x"]

    run(main())


def test_a_cancelled_read_leaves_nothing() -> None:
    async def main() -> None:
        cluster = Cluster()
        _, reader = await written(cluster, 5, (3, 2, 2))
        cluster.hold()
        read = asyncio.ensure_future(reader.read(0, 5, 1000))
        await turns()
        read.cancel()
        await turns()
        assert read.cancelled()
        for bookie in cluster.bookies.values():
            bookie.run_all()
        await turns()

    run(main())


def test_all_reads_begin_with_one_bookie_until_it_fails() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, reader = await written(cluster, 10)
        ensemble = cluster.ensemble(writer)
        for first in (4, 5, 6, 7):
            assert await reader.read(first, 1, 1000) == payloads(first, first + 1)
        assert [len(reads_of(b)) for b in ensemble] == [0, 4, 0]
        ensemble[1].answer = Status.IO_ERROR
        for first in (4, 5, 6, 7):
            assert await reader.read(first, 1, 1000) == payloads(first, first + 1)
        assert [len(reads_of(b)) for b in ensemble] == [0, 5, 4]

    run(main())


def test_reads_go_round_if_they_need_not_stick() -> None:
    async def main() -> None:
        cluster = Cluster(config=LedgerClientConfig(sticky_reads=False))
        writer, reader = await written(cluster, 10)
        for first in range(6):
            await reader.read(first, 1, 1000)
        assert [len(reads_of(b)) for b in cluster.ensemble(writer)] == [2, 2, 2]

    run(main())


def test_bookies_in_quarantine_are_asked_last() -> None:
    async def main() -> None:
        cluster = Cluster(config=LedgerClientConfig(quarantine_errors=1))
        writer, reader = await written(cluster, 3)
        bad, *_ = cluster.ensemble(writer)
        reader._tools.answered(bad.name, Status.TIMEOUT)
        assert await reader.read(0, 3, 1000) == payloads(0, 3)
        assert reads_of(bad) == []

    run(main())


@pytest.mark.parametrize("closes", [True, False])
def test_a_reader_of_an_open_ledger_can_look_again(closes: bool) -> None:
    async def main() -> None:
        cluster = Cluster(4)
        writer, _ = await written(cluster, 3)
        reader = await cluster.client().open(writer.ledger_id, password=PASSWORD, recover=False)
        assert reader.last_add_confirmed == -1  # all were sent before the first was confirmed
        cluster.ensemble(writer)[0].answer = Status.UNAVAILABLE
        for number in range(3, 6):
            writer.add(payload(number))
            await until(lambda: writer.last_add_confirmed == writer.entries_pushed - 1)
        if closes:
            await writer.close()
        last = 5 if closes else 4
        assert await reader.refresh() == reader.last_add_confirmed == last
        assert reader.closed == closes
        assert len(reader.metadata.segments) == 2
        assert await reader.refresh() == last
        assert await reader.read(last, 1, 100) == payloads(last, last + 1)

    run(main())


def test_a_look_that_comes_late_takes_nothing_back() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await written(cluster, 1)
        reader = await cluster.client().open(writer.ledger_id, password=PASSWORD, recover=False)
        for bookie in cluster.bookies.values():
            bookie.held = True
        late = asyncio.ensure_future(reader.refresh())
        await turns()
        asked = [call for bookie in cluster.bookies.values() for call in bookie.pending]
        for bookie in cluster.bookies.values():
            bookie.pending.clear()
            bookie.held = False
        for number in range(1, 4):
            writer.add(payload(number))
            await until(lambda: writer.last_add_confirmed == writer.entries_pushed - 1)
        await writer.close()
        assert await reader.refresh() == 3
        for call in asked:
            assert isinstance(call, ReadCall)
            call.sink.read_completed(call.context, Status.NO_ENTRY, call.first_entry_id, ())
        assert await late == 3
        assert reader.closed

    run(main())


def test_what_was_known_as_confirmed_stays_so() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await written(cluster, 1)
        for number in range(1, 4):
            writer.add(payload(number))
            await turns()
        reader = await cluster.client().open(writer.ledger_id, password=PASSWORD, recover=False)
        assert reader.last_add_confirmed == 2
        for bookie in cluster.bookies.values():
            bookie.entries.clear()
        assert await reader.refresh() == 2
        assert await writer.reader().refresh() == 3

    run(main())


def moved(metadata: LedgerMetadata, *bookies: str) -> tuple[Segment, ...]:
    """Its first segment on other bookies, as repair leaves it."""
    first, *others = metadata.segments
    return (replace(first, bookies=bookies), *others)


def test_a_reader_of_a_closed_ledger_finds_where_repair_has_put_it() -> None:
    async def main() -> None:
        cluster = Cluster(6)
        writer, follower = await written(cluster, 3)
        metadata = await writer.close()
        reader = await cluster.client().open(writer.ledger_id, password=PASSWORD, recover=False)
        old = metadata.segments[0].bookies
        new = [name for name in cluster.bookies if name not in old]
        for name, other in zip(old, new, strict=True):
            cluster.bookies[other].entries = cluster.bookies[name].entries
            cluster.bookies[name].entries = {}
        await cluster.meddle(writer.ledger_id, segments=moved(metadata, *new))
        for each in (reader, follower):
            with pytest.raises(NoSuchEntryError):
                await each.read(0, 3, 1000)
            assert await each.refresh() == 2
            assert each.closed
            assert await each.read(0, 3, 1000) == payloads(0, 3)

    run(main())


def test_a_writers_reader_finds_where_repair_has_put_earlier_segments() -> None:
    async def main() -> None:
        cluster = Cluster(4)
        writer, reader = await written(cluster, 3)
        first, second, third = cluster.ensemble(writer)
        first.answer = Status.UNAVAILABLE
        writer.add(payload(3))
        await until(lambda: len(writer.metadata.segments) == 2)
        segments = moved(writer.metadata, "b9", second.name, third.name)
        await cluster.meddle(writer.ledger_id, segments=segments)
        assert await reader.refresh() == 3
        assert reader.metadata.segments == segments
        assert not reader.closed
        writer.add(payload(4))
        await until(lambda: writer.last_add_confirmed == 4)
        assert (await writer.close()).segments == segments

    run(main())


def test_a_writers_reader_does_not_tell_it_that_another_changed_its_ensemble() -> None:
    async def main() -> None:
        cluster = Cluster(4)
        writer, reader = await written(cluster, 3)
        others = moved(writer.metadata, "b7", "b8", "b9")
        await cluster.meddle(writer.ledger_id, segments=others)
        assert await reader.refresh() == 2
        cluster.ensemble(writer)[0].answer = Status.UNAVAILABLE
        writer.add(payload(3))
        await until(lambda: writer._ended is not None)
        assert isinstance(writer._ended, LedgerFencedError)

    run(main())


def test_a_look_at_a_closed_ledger_that_comes_late_takes_nothing_back() -> None:
    async def main() -> None:
        cluster = Cluster(6)
        writer, _ = await written(cluster, 3)
        metadata = await writer.close()
        reader = await cluster.client().open(writer.ledger_id, password=PASSWORD, recover=False)
        read, slow = cluster.registry.read, asyncio.Event()

        async def slowly(ledger_id: int) -> tuple[LedgerMetadata, int] | None:
            found = await read(ledger_id)
            await slow.wait()
            return found

        cluster.registry.read = slowly  # type: ignore[method-assign]
        late = asyncio.ensure_future(reader.refresh())
        await turns()
        cluster.registry.read = read  # type: ignore[method-assign]
        segments = moved(metadata, "b7", "b8", "b9")
        await cluster.meddle(writer.ledger_id, segments=segments)
        await reader.refresh()
        slow.set()
        assert await late == 2
        assert reader.metadata.segments == segments

    run(main())
