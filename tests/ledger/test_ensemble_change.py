"""Places that failed: replaced, waited for, or taken back by their own bookies."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.errors import LedgerError, NotEnoughBookiesError
from magnetar_ledger.striping import Quorum, segment_index
from magnetar_ledger.writer import LedgerWriter
from magnetar_metadata.errors import UnknownOutcomeError
from magnetar_proto.bookie import Status

from tests.ledger.cluster import PASSWORD, Cluster, payload
from tests.ledger.fake_bookie import AddCall
from tests.ledger.virtual_time import run, until


def add(writer: LedgerWriter, count: int) -> None:
    for number in range(writer.entries_pushed, writer.entries_pushed + count):
        writer.add(payload(number))


async def check_entries(cluster: Cluster, writer: LedgerWriter, count: int) -> None:
    """All confirmed entries are on an ack quorum of the bookies that metadata names."""
    metadata = await writer.close()
    quorum = Quorum.of(metadata)
    assert metadata.last_entry_id == count - 1
    for entry_id in range(count):
        segment = metadata.segments[segment_index(metadata.segments, entry_id)]
        holders = [cluster.bookies[segment.bookies[i]] for i in quorum.write_set(entry_id)]
        copies = sum(entry_id in b.entries.get(writer.ledger_id, ()) for b in holders)
        assert copies >= quorum.ack_quorum
    reader = await cluster.client().open(writer.ledger_id, password=PASSWORD, recover=False)
    found: list[bytes] = []
    while len(found) < count:
        found += await reader.read(len(found), 100, 1_000_000)
    assert found == [payload(number) for number in range(count)]


def test_without_a_replacement_the_ack_quorum_goes_on() -> None:
    async def main() -> None:
        cluster = Cluster(3)
        writer, sink = await cluster.writer()
        cluster.ensemble(writer)[1].answer = Status.UNAVAILABLE
        for count in range(10, 60, 10):
            add(writer, 10)
            await until(lambda: sink.count == count)  # noqa: B023
        assert sink.error is None
        assert len(writer.metadata.segments) == 1
        await check_entries(cluster, writer, 50)

    run(main())


@pytest.mark.parametrize("sizes", [(3, 3, 3), (3, 2, 2), (1, 1, 1)])
def test_without_a_replacement_and_without_the_ack_quorum_the_writer_ends(
    sizes: tuple[int, int, int],
) -> None:
    async def main() -> None:
        cluster = Cluster(sizes[0])
        writer, sink = await cluster.writer(*sizes)
        cluster.ensemble(writer)[0].answer = Status.UNAVAILABLE
        add(writer, 3)
        await until(lambda: sink.error is not None)
        assert isinstance(sink.error, NotEnoughBookiesError)

    run(main())


def test_a_second_failure_while_waiting_ends_the_writer_at_once() -> None:
    async def main() -> None:
        cluster = Cluster(3, LedgerClientConfig(ensemble_retry_pause_ms=50_000))
        writer, sink = await cluster.writer()
        cluster.ensemble(writer)[1].answer = Status.UNAVAILABLE
        add(writer, 1)
        await until(lambda: sink.count == 1)
        start = cluster.clock.monotonic_ns()
        cluster.ensemble(writer)[0].answer = Status.IO_ERROR
        add(writer, 1)
        await until(lambda: sink.error is not None)
        assert isinstance(sink.error, NotEnoughBookiesError)
        assert cluster.clock.monotonic_ns() - start < 1_000_000_000

    run(main())


def test_a_second_failure_during_a_slow_change_is_replaced_too() -> None:
    async def main() -> None:
        cluster = Cluster(5, LedgerClientConfig(ensemble_change_patience_ms=2000))
        writer, sink = await cluster.writer()
        write = cluster.registry.write

        async def slowly(*arguments: Any) -> int:
            await asyncio.sleep(3)
            return await write(*arguments)

        cluster.registry.write = slowly  # type: ignore[method-assign]
        ensemble = cluster.ensemble(writer)
        ensemble[0].answer = Status.UNAVAILABLE
        add(writer, 1)
        await asyncio.sleep(1)
        ensemble[1].answer = Status.UNAVAILABLE
        add(writer, 1)
        await until(lambda: sink.count == 2 or sink.error is not None)
        assert sink.error is None
        await check_entries(cluster, writer, 2)

    run(main())


def test_a_change_that_is_cancelled_holds_nothing_up_and_the_writer_ends() -> None:
    """Another task of the client broke down while the segment was on its way to metadata."""

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        cluster = Cluster(4, LedgerClientConfig(add_timeout_ms=4000))
        writer, sink = await cluster.writer()

        async def slowly(*arguments: Any) -> int:
            await asyncio.sleep(3600)
            raise AssertionError("nobody waits for so long")

        async def break_down() -> None:
            raise ZeroDivisionError("a bug")

        cluster.registry.write = slowly  # type: ignore[method-assign]
        cluster.ensemble(writer)[1].answer = Status.UNAVAILABLE
        add(writer, 1)
        await until(lambda: writer._core.frozen)
        cluster.scope.spawn(break_down(), name="broken")
        await asyncio.sleep(0.1)
        assert not writer._core.frozen
        add(writer, 1)
        await asyncio.sleep(0.1)
        assert sink.count == 2
        await asyncio.sleep(1)
        assert isinstance(sink.error, LedgerError)

    run(main())


def test_a_bug_that_one_change_meets_ends_that_writer_alone() -> None:
    async def main() -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        cluster = Cluster(5)
        writers = [await cluster.writer(), await cluster.writer()]
        write, written = cluster.registry.write, list[int]()

        async def meets_a_bug(ledger_id: int, *arguments: Any) -> int:
            if not written:
                written.append(ledger_id)
                raise ZeroDivisionError("a bug")
            return await write(ledger_id, *arguments)

        cluster.registry.write = meets_a_bug  # type: ignore[method-assign]
        for writer, _ in writers:
            cluster.ensemble(writer)[1].answer = Status.UNAVAILABLE
            add(writer, 3)
        await asyncio.sleep(1)
        (bad, bad_sink), (good, good_sink) = sorted(
            writers, key=lambda each: each[0].ledger_id not in written
        )
        assert isinstance(bad_sink.error, LedgerError)
        assert [type(context["exception"]) for context in told] == [ZeroDivisionError]
        assert good_sink.error is None
        assert not good._core.failed
        await check_entries(cluster, good, 3)
        assert cluster.scope.failure is None
        assert bad.ledger_id != good.ledger_id

    run(main())


def test_a_change_that_is_cancelled_after_the_writer_has_ended_confirms_nothing() -> None:
    async def main() -> None:
        cluster = Cluster(4)
        writer, sink = await cluster.writer()

        async def slowly(*arguments: Any) -> int:
            await asyncio.sleep(3600)
            raise AssertionError("nobody waits for so long")

        cluster.registry.write = slowly  # type: ignore[method-assign]
        failing = cluster.ensemble(writer)[1]
        failing.answer = Status.UNAVAILABLE
        add(writer, 1)
        await until(lambda: writer._core.frozen)
        writer._end(LedgerError("the end"))
        await cluster.scope.close()
        assert writer._core.frozen
        assert sink.count <= 1

    run(main())


def test_a_bookie_that_comes_later_takes_the_place() -> None:
    async def main() -> None:
        cluster = Cluster(4)
        cluster.writable = ["b0", "b1", "b2"]
        writer, sink = await cluster.writer()
        cluster.bookies["b1"].answer = Status.UNAVAILABLE
        add(writer, 10)
        await until(lambda: sink.count == 10)
        cluster.writable = ["b0", "b2", "b3"]
        await until(lambda: len(writer.metadata.segments) == 2)
        assert "b3" in writer.metadata.segments[1].bookies
        add(writer, 10)
        await until(lambda: sink.count == 20)
        assert sorted(cluster.bookies["b3"].entries[writer.ledger_id]) == list(range(10, 20))
        await check_entries(cluster, writer, 20)

    run(main())


def test_the_bookie_itself_takes_its_place_again_in_a_segment_of_its_own() -> None:
    """So that whoever checks the ends of segments finds what it has missed."""

    async def main() -> None:
        cluster = Cluster(3)
        writer, sink = await cluster.writer()
        add(writer, 5)
        await until(lambda: sink.count == 5)
        failing = cluster.ensemble(writer)[1]
        failing.answer = Status.UNAVAILABLE
        add(writer, 5)
        await until(lambda: sink.count == 10)
        failing.answer = None
        await until(lambda: len(writer.metadata.segments) == 2)
        first, second = writer.metadata.segments
        assert (first.bookies, second.first_entry_id) == (second.bookies, 10)
        add(writer, 5)
        await until(lambda: sink.count == 15)
        assert sorted(failing.entries[writer.ledger_id]) == [*range(5), *range(10, 15)]
        await check_entries(cluster, writer, 15)

    run(main())


def test_the_entries_of_one_failure_are_one_failure() -> None:
    async def main() -> None:
        config = LedgerClientConfig(quarantine_errors=2, ensemble_retry_pause_ms=1000)
        cluster = Cluster(3, config)
        writer, sink = await cluster.writer()
        failing = cluster.ensemble(writer)[1]
        failing.held = True
        add(writer, 20)
        await until(lambda: sink.count == 20)
        start = cluster.clock.monotonic_ns()
        for call in list(failing.pending):
            failing.lose(call, done=False, status=Status.UNAVAILABLE)
            await asyncio.sleep(0.001)
        assert not writer._tools.quarantined()
        failing.held = False
        await until(lambda: len(writer.metadata.segments) == 2)  # after the first pause
        assert (cluster.clock.monotonic_ns() - start) // 1_000_000 in range(1000, 1100)

    run(main())


def test_a_bookie_that_does_not_answer_does_not_come_back() -> None:
    async def main() -> None:
        cluster = Cluster(3)
        writer, sink = await cluster.writer()
        failing = cluster.ensemble(writer)[1]
        failing.answer = Status.UNAVAILABLE
        add(writer, 1)
        await until(lambda: sink.count == 1)
        adds = sum(isinstance(call, AddCall) for call in failing.calls)
        sets = cluster.store.sets
        for _ in range(100):
            await asyncio.sleep(1)
            add(writer, 1)
            await until(lambda: sink.count == writer.entries_pushed)
        assert sum(isinstance(call, AddCall) for call in failing.calls) == adds
        assert cluster.store.sets == sets

    run(main())


def test_a_bookie_that_reads_but_does_not_take_entries_is_tried_ever_more_seldom() -> None:
    async def main() -> None:
        cluster = Cluster(3, LedgerClientConfig(add_timeout_ms=10_000_000))
        writer, sink = await cluster.writer()
        failing = cluster.ensemble(writer)[1]
        failing._add_status = lambda call: Status.IO_ERROR  # type: ignore[method-assign]
        end = cluster.clock.monotonic_ns() + 300 * 1_000_000_000
        while cluster.clock.monotonic_ns() < end:
            add(writer, 1)
            await until(lambda: sink.count == writer.entries_pushed)
            await asyncio.sleep(0.5)
        # 0.5 s, 1 s, 2 s ... 32 s, 60 s, 60 s, ...
        assert 5 <= cluster.store.sets <= 12
        assert sink.error is None

    run(main())


def test_a_store_that_cannot_say_who_is_there_holds_nobody_up() -> None:
    async def main() -> None:
        cluster = Cluster(4)
        writer, sink = await cluster.writer()

        async def unknown() -> Sequence[str]:
            raise UnknownOutcomeError("/ledgers/available")

        real, cluster._writable = cluster._writable, unknown  # type: ignore[method-assign]
        writer._tools.placement._writable = unknown  # type: ignore[attr-defined]
        cluster.ensemble(writer)[1].answer = Status.UNAVAILABLE
        add(writer, 10)
        await until(lambda: sink.count == 10)
        assert sink.error is None
        writer._tools.placement._writable = real  # type: ignore[attr-defined]
        await until(lambda: len(writer.metadata.segments) == 2)
        await check_entries(cluster, writer, 10)

    run(main())


def test_two_failed_places_and_one_other_bookie() -> None:
    async def main() -> None:
        cluster = Cluster(4)
        writer, sink = await cluster.writer(3, 3, 1)
        for bookie in cluster.ensemble(writer)[:2]:
            bookie.answer = Status.UNAVAILABLE
        add(writer, 3)
        await until(lambda: sink.count == 3)
        await until(lambda: len({b for s in writer.metadata.segments for b in s.bookies}) == 4)
        assert sink.error is None
        await check_entries(cluster, writer, 3)

    run(main())


def test_recovery_goes_on_with_the_ack_quorum_too() -> None:
    async def main() -> None:
        cluster = Cluster(3)
        writer, sink = await cluster.writer()
        add(writer, 5)
        await until(lambda: sink.count == 5)
        cluster.bookies["b1"].answer = Status.UNAVAILABLE
        cluster.writable = ["b0", "b2"]
        reader = await cluster.client().open(writer.ledger_id, password=PASSWORD, recover=True)
        assert reader.last_add_confirmed == 4
        assert len(reader.metadata.segments) == 1

    run(main())
