from itertools import pairwise
from typing import Any

from magnetar_broker.dispatch.entry_feed import EntryFeed
from magnetar_ledger.position import Position

from tests.broker.consuming import LoopScope, MemoryLog, Timers, context, payload

ENTRIES = [payload(n) for n in range(20)]


class Reader:
    """Takes what a feed gives, whenever it says that it is ready."""

    def __init__(self, log: MemoryLog, **limits: Any) -> None:
        self.log = log
        self.timers = Timers()
        self.scope = LoopScope()
        made = context(self.timers, self.scope, **limits)
        self.feed = EntryFeed(log, made, "t s", self.ready)  # type: ignore[arg-type]
        self.wakes = 0
        self.taking = True
        self.taken: list[tuple[int, int, bytes]] = []

    def ready(self) -> None:
        self.wakes += 1
        if self.taking:
            self.take()

    def take(self, most: int = 1000) -> int:
        feed, count = self.feed, 0
        while count < most and feed.fill(most - count):
            entry = feed.payloads[feed.offset]
            self.taken.append((feed.ledger_id, feed.entry_id, entry))
            feed.advance(1)
            count += 1
        return count

    @property
    def positions(self) -> list[tuple[int, int]]:
        return [(ledger_id, entry_id) for ledger_id, entry_id, _ in self.taken]


def test_the_tail_comes_at_once_without_a_task() -> None:
    log = MemoryLog()
    log.add(*ENTRIES[:3])
    reader = Reader(log)
    reader.feed.seek(Position(1, 1))
    reader.feed._context = context()  # its scope runs nothing
    assert reader.take() == 2
    assert reader.positions == [(1, 1), (1, 2)]
    assert reader.taken[0][2] is ENTRIES[1]
    assert not reader.feed.fill(1)
    log.add(ENTRIES[3])
    assert reader.take() == 1


def test_what_is_given_crosses_ledgers() -> None:
    log = MemoryLog()
    log.add(*ENTRIES[:2])
    log.roll_over()
    log.add(*ENTRIES[2:4])
    reader = Reader(log)
    reader.feed.seek(Position(-1, -1))
    reader.take()
    assert reader.positions == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert reader.feed.position == Position(2, 2)


async def test_storage_is_read_one_batch_ahead() -> None:
    log = MemoryLog(cached=False)
    log.add(*ENTRIES)
    reader = Reader(log, read_max_entries=5)
    reader.taking = False
    reader.feed.seek(Position(1, 0))
    assert reader.take() == 0
    await reader.scope.settle()
    assert (reader.wakes, log.reads) == (1, [(1, 0)])
    assert reader.take(2) == 2
    await reader.scope.settle()
    assert log.reads == [(1, 0)]  # who takes nothing of a batch does not wait for the next
    assert reader.take(1) == 1
    await reader.scope.settle()
    assert log.reads == [(1, 0), (1, 5)]  # while the rest of the first is being used
    await reader.scope.settle()
    assert len(log.reads) == 2  # and no further
    assert reader.take(7) == 7
    assert reader.positions == [(1, n) for n in range(10)]


async def test_it_knows_what_it_will_give() -> None:
    log = MemoryLog(cached=False)
    log.add(*ENTRIES)
    reader = Reader(log, read_max_entries=4)
    reader.taking = False
    feed = reader.feed
    feed._skip = lambda position: max(position, Position(1, 7)) if position > (1, 2) else position

    def given() -> list[int]:
        return [n for n in range(10) if feed.will_give(Position(1, n))]

    feed.seek(Position(1, 0))
    assert given() == list(range(10))
    assert reader.take(1) == 0
    assert given() == list(range(10))  # while they are being read
    await reader.scope.settle()
    assert given() == list(range(10))
    assert reader.take(1) == 1
    assert given() == list(range(1, 10))
    assert reader.take(1) == 1
    assert given() == [2, 3, 7, 8, 9]  # it reads ahead, and has passed over some
    await reader.scope.settle()
    assert log.reads == [(1, 0), (1, 7)]
    assert given() == [2, 3, 7, 8, 9]
    assert reader.take(3) == 3
    assert given() == [8, 9]
    assert not feed.will_give(Position(0, 9))
    assert feed.will_give(Position(2, 0))
    feed.seek(Position(1, 3))
    assert given() == list(range(3, 10))


async def test_no_more_is_read_than_was_asked_for() -> None:
    """Scenario: thousands of consumers stop reading with a backlog before them."""
    log = MemoryLog(cached=False)
    log.add(*[bytes(30 << 10)] * 60)
    reader = Reader(log)
    reader.taking = False
    reader.feed.seek(Position(1, 0))
    while len(reader.taken) < 40:
        reader.take(4)
        await reader.scope.settle()
        assert len(reader.feed.payloads) <= 4
    begins = [entry_id for _, entry_id in log.reads]
    assert max(after - before for before, after in pairwise(begins)) == 4
    assert log.reads[-1].entry_id <= 48


async def test_small_entries_are_not_read_one_by_one() -> None:
    log = MemoryLog(cached=False)
    log.add(*ENTRIES)
    reader = Reader(log)
    reader.taking = False
    reader.feed.seek(Position(1, 0))
    assert reader.take(1) == 0
    await reader.scope.settle()
    assert reader.take(1) == 1
    assert len(reader.feed.payloads) == 20


async def test_a_backlog_is_read_to_its_end_once() -> None:
    log = MemoryLog(cached=False)
    log.add(*ENTRIES[:12])
    log.roll_over()
    log.add(*ENTRIES[12:])
    reader = Reader(log, read_max_entries=5)
    reader.feed.seek(Position(1, 0))
    reader.take()
    await reader.scope.settle(100)
    assert [entry for _, _, entry in reader.taken] == ENTRIES
    reads = len(log.reads)
    reader.take()
    await reader.scope.settle()
    assert len(log.reads) == reads


async def test_only_one_read_is_under_way() -> None:
    log = MemoryLog(cached=False)
    log.add(*ENTRIES)
    log.gate.clear()
    reader = Reader(log)
    for _ in range(3):
        reader.take()
        await reader.scope.settle()
    assert len(log.reads) == 1


async def test_a_read_that_was_overtaken_by_a_seek_is_dropped() -> None:
    log = MemoryLog(cached=False)
    log.add(*ENTRIES)
    log.gate.clear()
    reader = Reader(log)
    reader.feed.seek(Position(1, 10))
    reader.take()
    await reader.scope.settle()
    reader.feed.seek(Position(1, 2))
    reader.take()
    log.gate.set()
    await reader.scope.settle()
    assert reader.positions[0] == (1, 2)
    assert reader.positions == [(1, n) for n in range(2, 20)]


async def test_after_a_seek_the_tail_cache_is_used_beside_a_stale_read() -> None:
    log = MemoryLog(cached=False)
    log.add(*ENTRIES[:10])
    log.cached = True
    log.add(*ENTRIES[10:])
    log.gate.clear()
    reader = Reader(log)
    reader.feed.seek(Position(1, 0))
    reader.take()
    await reader.scope.settle()
    reader.feed.seek(Position(1, 15))
    assert reader.take() == 5
    log.gate.set()
    await reader.scope.settle()
    assert reader.positions == [(1, n) for n in range(15, 20)]


async def test_a_failed_read_is_tried_again_after_a_pause() -> None:
    log = MemoryLog(cached=False)
    log.add(*ENTRIES[:3])
    log.failures = 2
    reader = Reader(log, read_retry_ms=700)
    reader.take()
    await reader.scope.settle()
    reader.take()  # an append meanwhile does not hurry it
    await reader.scope.settle()
    assert len(log.reads) == 1
    assert reader.timers.fire() == [0.7]
    await reader.scope.settle()
    reader.timers.fire()
    await reader.scope.settle()
    assert len(reader.taken) == 3


async def test_an_append_during_a_read_that_finds_nothing_is_not_missed() -> None:
    log = MemoryLog(cached=False)
    log.add(ENTRIES[0])
    log.gate.clear()
    reader = Reader(log)
    reader.feed._ledger = TrimmedLog(log)  # type: ignore[assignment]
    reader.feed.seek(Position(1, 0))
    reader.take()
    await reader.scope.settle()
    log.add(ENTRIES[1])
    reader.take()  # the append wakes the dispatcher, which finds a read under way
    log.gate.set()
    await reader.scope.settle()
    assert ENTRIES[1] in [entry for _, _, entry in reader.taken]


async def test_a_read_that_finds_nothing_is_not_repeated_by_itself() -> None:
    log = MemoryLog(cached=False)
    log.add(*ENTRIES[:2])
    reader = Reader(log)
    reader.feed._ledger = TrimmedLog(log)  # type: ignore[assignment]
    reader.take()
    await reader.scope.settle(100)
    assert len(log.reads) == 1


async def test_a_closed_feed_gives_nothing() -> None:
    log = MemoryLog(cached=False)
    log.add(*ENTRIES)
    reader = Reader(log)
    reader.take()
    reader.feed.close()
    await reader.scope.settle()
    assert reader.wakes == 0
    log.cached = True
    log.add(ENTRIES[0])
    assert reader.take() == 0


class TrimmedLog:
    """A log whose entries are trimmed between the question and the answer of its first read."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log

    @property
    def last_position(self) -> Position:
        return self.log.last_position

    def read_cached(self, *_: Any) -> None:
        return None

    async def read(
        self, position: Position, max_entries: int, max_bytes: int
    ) -> tuple[Position, list[bytes]]:
        first, found = await self.log.read(position, max_entries, max_bytes)
        return first, found if len(self.log.reads) > 1 else []
