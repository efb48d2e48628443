"""The writer's shell: order, back-pressure, deadlines, and what it sends again."""

import asyncio

import pytest
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.errors import (
    LedgerClosedError,
    LedgerError,
    LedgerFencedError,
    NotEnoughBookiesError,
)
from magnetar_ledger.writer import LedgerWriter
from magnetar_proto.bookie import Status

from tests.ledger.cluster import Cluster, Confirmed, payload
from tests.ledger.fake_bookie import AddCall, FakeBookie
from tests.ledger.virtual_time import run, turns, until


def add(writer: LedgerWriter, count: int) -> None:
    for number in range(writer.entries_pushed, writer.entries_pushed + count):
        assert writer.add(payload(number)) == number


def added_ids(bookie: FakeBookie) -> list[int]:
    return [call.entry_id for call in bookie.calls if isinstance(call, AddCall)]


@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 3, 2), (3, 2, 2), (4, 3, 1)])
def test_entries_reach_their_write_sets_and_are_confirmed(sizes: tuple[int, int, int]) -> None:
    async def main() -> None:
        cluster = Cluster(4)
        writer, sink = await cluster.writer(*sizes)
        add(writer, 20)
        assert sink.count == 0  # never inside the call
        await turns()
        assert sink.count == 20
        assert writer.last_add_confirmed == 19
        assert writer.length == sum(len(payload(i)) for i in range(20))
        copies = [i for bookie in cluster.bookies.values() for i in added_ids(bookie)]
        assert sorted(copies) == sorted(list(range(20)) * sizes[1])

    run(main())


def test_entries_of_one_turn_are_confirmed_in_one_batch() -> None:
    async def main() -> None:
        cluster = Cluster(1)
        writer, sink = await cluster.writer(1, 1, 1)
        add(writer, 50)
        await turns()
        add(writer, 30)
        await turns()
        assert sink.batches == [50, 30]

    run(main())


def test_entries_may_be_added_from_the_callback() -> None:
    async def main() -> None:
        class Again(Confirmed):
            def entries_confirmed(self, first_entry_id: int, count: int) -> None:
                super().entries_confirmed(first_entry_id, count)
                if self.count < 10:
                    add(writer, 1)

        cluster = Cluster()
        writer, _ = await cluster.writer()
        writer.sink = sink = Again()
        add(writer, 1)
        await turns(50)
        assert sink.count == 10

    run(main())


def test_a_failed_bookie_is_replaced_and_gets_what_was_pending() -> None:
    async def main() -> None:
        cluster = Cluster(4)
        writer, sink = await cluster.writer()
        add(writer, 5)
        await turns()
        failing = cluster.ensemble(writer)[1]
        failing.answer = Status.IO_ERROR
        cluster.ensemble(writer)[0].held = True  # so that nothing has two acks
        add(writer, 5)
        await until(lambda: len(writer.metadata.segments) == 2)
        new = cluster.ensemble(writer)[1]
        assert new is not failing
        assert writer.metadata.segments[-1].first_entry_id == 5
        add(writer, 2)
        await turns()
        assert added_ids(new) == [5, 6, 7, 8, 9, 10, 11]
        assert sink.count == 12
        assert (await cluster.metadata(writer.ledger_id)).segments == writer.metadata.segments

    run(main())


def test_answers_of_a_replaced_bookie_count_for_nothing() -> None:
    async def main() -> None:
        cluster = Cluster(4)
        cluster.hold()
        writer, sink = await cluster.writer()
        add(writer, 2)
        first, second, _ = cluster.ensemble(writer)
        first.lose(first.pending[0], done=False)
        await turns()
        assert len(writer.metadata.segments) == 1  # no entry before: the segment was replaced
        assert first.name not in writer.metadata.segments[0].bookies
        second.run_all()
        assert sink.count == 0
        first.run_all()  # its ack of entry 1 comes late
        assert sink.count == 0
        cluster.ensemble(writer)[0].run_all()
        assert sink.count == 2

    run(main())


def test_failures_during_a_change_are_part_of_the_next() -> None:
    async def main() -> None:
        cluster = Cluster(6)
        writer, sink = await cluster.writer()
        before = cluster.ensemble(writer)
        before[0].answer = Status.IO_ERROR
        before[1].answer = Status.IO_ERROR
        replacement_fails = [b for b in cluster.bookies.values() if b not in before][:1]
        replacement_fails[0].answer = Status.UNAVAILABLE
        add(writer, 3)
        await until(lambda: sink.count == 3)
        bad = {before[0].name, before[1].name, replacement_fails[0].name}
        assert not bad & set(writer.metadata.segments[-1].bookies)

    run(main())


def test_without_a_replacement_the_writer_ends() -> None:
    async def main() -> None:
        cluster = Cluster(1)
        writer, sink = await cluster.writer(1, 1, 1)
        cluster.bookies["b0"].answer = Status.READ_ONLY
        add(writer, 2)
        await turns()
        assert isinstance(sink.error, NotEnoughBookiesError)
        assert sink.count == 0
        with pytest.raises(NotEnoughBookiesError):
            writer.add(b"")

    run(main())


def test_two_broken_bookies_do_not_take_turns_for_ever() -> None:
    async def main() -> None:
        cluster = Cluster(2)
        writer, sink = await cluster.writer(1, 1, 1)
        for bookie in cluster.bookies.values():
            bookie.answer = Status.IO_ERROR
        add(writer, 1)
        await turns(50)
        assert isinstance(sink.error, NotEnoughBookiesError)
        assert cluster.store.sets == 1

    run(main())


def test_a_fence_ends_the_writer_at_once() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, sink = await cluster.writer()
        cluster.ensemble(writer)[2].fenced.add(writer.ledger_id)
        cluster.hold()
        add(writer, 1)
        fenced = cluster.ensemble(writer)[2]
        fenced.run_all()
        assert isinstance(sink.error, LedgerFencedError)
        cluster.ensemble(writer)[0].run_all()
        cluster.ensemble(writer)[1].run_all()
        assert sink.count == 0  # a quorum that comes after the fence is not reported
        with pytest.raises(LedgerFencedError):
            add(writer, 1)

    run(main())


def test_a_bookie_that_does_not_answer_has_failed_after_the_timeout() -> None:
    async def main() -> None:
        cluster = Cluster(4, LedgerClientConfig(add_timeout_ms=1000))
        writer, sink = await cluster.writer(3, 3, 3)
        silent = cluster.ensemble(writer)[0]
        silent.held = True
        add(writer, 1)
        loop_time = cluster.clock.monotonic_ns
        start = loop_time()
        await until(lambda: sink.count == 1, timeout_s=5)
        assert 1000 <= (loop_time() - start) / 1e6 <= 1300
        assert silent not in cluster.ensemble(writer)

    run(main())


@pytest.mark.parametrize("pending", [0, 1])
def test_a_writer_that_its_client_left_open_ends(pending: int) -> None:
    async def main() -> None:
        cluster = Cluster(4, LedgerClientConfig(add_timeout_ms=1000))
        writer, sink = await cluster.writer()
        cluster.hold()
        add(writer, pending)
        await cluster.scope.close()
        await asyncio.sleep(0.5)
        with pytest.raises(LedgerClosedError, match="client"):
            add(writer, 1)
        assert (sink.error is not None) == bool(pending)
        assert writer._timer.when() < asyncio.get_running_loop().time()  # no further look

    run(main())


def test_a_place_that_fails_after_the_client_was_closed_ends_the_writer() -> None:
    async def main() -> None:
        cluster = Cluster(4)
        writer, sink = await cluster.writer()
        cluster.hold()
        add(writer, 1)
        await cluster.scope.close()
        failing = cluster.ensemble(writer)[0]
        failing.answer = Status.UNAVAILABLE
        failing.run_all()
        assert isinstance(sink.error, LedgerClosedError)

    run(main())


async def break_down() -> None:
    raise ZeroDivisionError("a bug somewhere in the client")


@pytest.mark.parametrize("pending", [0, 1])
@pytest.mark.parametrize("place_fails", [True, False])
def test_a_writer_whose_client_has_failed_ends_and_says_so(pending: int, place_fails: bool) -> None:
    async def main() -> None:
        cluster = Cluster(4, LedgerClientConfig(add_timeout_ms=1000))
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        writer, sink = await cluster.writer()
        cluster.hold()
        add(writer, pending)
        cluster.scope.spawn(break_down(), name="broken")
        await turns()
        if place_fails and pending:
            cluster.ensemble(writer)[0].lose(cluster.ensemble(writer)[0].pending[0], done=False)
        else:
            await asyncio.sleep(0.5)
        assert isinstance(sink.error, LedgerError)
        with pytest.raises(LedgerError, match="bug"):
            add(writer, 1)

    run(main())


def test_a_new_bookie_has_the_whole_timeout_for_what_it_is_sent() -> None:
    async def main() -> None:
        cluster = Cluster(5, LedgerClientConfig(add_timeout_ms=1000))
        writer, sink = await cluster.writer(3, 3, 3)
        cluster.ensemble(writer)[0].held = True
        add(writer, 1)
        writable = cluster.writable
        cluster.writable = [*writer.metadata.segments[0].bookies, "b3", "b4"]
        for name in ("b3", "b4"):
            cluster.bookies[name].held = True
        await until(lambda: cluster.store.sets == 1)
        start = cluster.clock.monotonic_ns()
        cluster.writable = writable
        await until(lambda: cluster.store.sets == 2)
        assert (cluster.clock.monotonic_ns() - start) / 1e6 >= 1000
        assert sink.error is None

    run(main())


def test_back_pressure_of_a_bookie_reaches_the_writer() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, _ = await cluster.writer()
        called: list[bool] = []
        writer.when_writable(lambda: called.append(writer.writable))
        assert called == []
        await turns()
        assert called == [True]
        first, second, _ = cluster.ensemble(writer)
        first.writable = second.writable = False
        assert not writer.writable
        writer.when_writable(lambda: called.append(writer.writable))
        first.writable = True
        await turns()
        assert called == [True]
        second.writable = True
        await turns()
        assert called == [True, True]

    run(main())


def test_too_many_pending_bytes_are_back_pressure() -> None:
    async def main() -> None:
        cluster = Cluster(1, LedgerClientConfig(max_pending_bytes=100))
        cluster.hold()
        writer, _ = await cluster.writer(1, 1, 1)
        writable = [writer.writable]
        for _ in range(2):
            writer.add(b"x" * 60)
            writable.append(writer.writable)
        assert writable == [True, True, False]
        called: list[bool] = []
        writer.when_writable(lambda: called.append(writer.writable))
        await turns()
        assert called == []
        cluster.bookies["b0"].run(cluster.bookies["b0"].pending[0])
        await turns()
        assert called == [True]

    run(main())


def test_waiting_for_a_slow_bookie_does_not_pile_up() -> None:
    async def main() -> None:
        cluster = Cluster()
        writer, sink = await cluster.writer()
        slow = cluster.ensemble(writer)[0]
        slow.writable = False
        called: list[bool] = []
        writer.when_writable(lambda: called.append(writer.writable))
        for _ in range(20):
            add(writer, 1)
            await turns(3)
        assert sink.count == 20
        assert len(slow._writable_callbacks) == 1
        slow.writable = True
        await turns()
        assert called == [True]

    run(main())


def test_a_replaced_bookie_holds_nobody_up() -> None:
    async def main() -> None:
        cluster = Cluster(4)
        writer, _ = await cluster.writer()
        slow = cluster.ensemble(writer)[0]
        slow.writable = False
        called: list[bool] = []
        writer.when_writable(lambda: called.append(writer.writable))
        slow.answer = Status.UNAVAILABLE
        add(writer, 1)
        await turns(30)
        assert called == [True]

    run(main())


def test_a_refused_add_raises_the_same_error_without_growing_it() -> None:
    async def main() -> None:
        cluster = Cluster(1)
        writer, _ = await cluster.writer(1, 1, 1)
        await writer.close()
        depths = []
        for _ in range(3):
            with pytest.raises(LedgerClosedError) as error:
                writer.add(b"")
            depths.append(len(error.traceback))
        assert len(set(depths)) == 1

    run(main())


def test_who_waits_for_a_writer_that_ends_is_called() -> None:
    async def main() -> None:
        cluster = Cluster(1)
        writer, _ = await cluster.writer(1, 1, 1)
        cluster.bookies["b0"].writable = False
        called: list[str] = []
        writer.when_writable(lambda: called.append("first"))
        writer.when_writable(lambda: called.append("second"))
        await writer.close()
        await turns()
        assert called == ["first", "second"]
        with pytest.raises(LedgerClosedError):
            writer.add(b"")

    run(main())


@pytest.mark.parametrize("others", ["done", "behind", "needed"])
def test_a_bookie_that_alone_takes_nothing_holds_nobody_up(others: str) -> None:
    async def main() -> None:
        cluster = Cluster(3)
        writer, sink = await cluster.writer(3, 3, 3 if others == "needed" else 2)
        stuck, second, third = cluster.ensemble(writer)
        stuck.held = True
        second.held = third.held = others == "behind"
        add(writer, 5)
        await turns()
        stuck.writable = False
        called: list[bool] = []
        writer.when_writable(lambda: called.append(writer.writable))
        await asyncio.sleep(1.9)
        assert called == []
        await asyncio.sleep(0.2)
        assert called == ([True] if others == "done" else [])
        assert sink.count == (5 if others == "done" else 0)
        if others == "behind":
            second.run_all()
            third.run_all()
            await asyncio.sleep(2)
            assert called == [True]

    run(main())
