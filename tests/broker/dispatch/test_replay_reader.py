from magnetar_broker.dispatch.replay_reader import ReplayReader
from magnetar_ledger.position import Position

from tests.broker.consuming import LoopScope, MemoryLog, Timers, context, payload

ENTRIES = [payload(n) for n in range(50)]


class Reading:
    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.timers = Timers()
        self.scope = LoopScope()
        self.wakes = 0
        made = context(self.timers, self.scope, read_retry_ms=300)
        self.reader = ReplayReader(log, made, "t s", self.ready)  # type: ignore[arg-type]

    def ready(self) -> None:
        self.wakes += 1


def cold() -> MemoryLog:
    log = MemoryLog(cached=False)
    log.add(*ENTRIES)
    return log


def test_the_tail_cache_is_asked_first_for_one_turn() -> None:
    log = MemoryLog()
    log.add(*ENTRIES)
    got = Reading(log).reader.fetch(Position(1, 3), 40)
    assert got == (Position(1, 3), ENTRIES[3:23])


async def test_a_run_is_read_once_and_given_in_parts() -> None:
    reading = Reading(cold())
    fetch = reading.reader.fetch
    assert fetch(Position(1, 10), 30) is None
    assert fetch(Position(1, 10), 30) is None
    await reading.scope.settle()
    assert (reading.wakes, len(reading.log.reads)) == (1, 1)
    assert fetch(Position(1, 10), 30) == (Position(1, 10), ENTRIES[10:40])
    assert fetch(Position(1, 30), 4) == (Position(1, 30), ENTRIES[30:34])
    assert len(reading.log.reads) == 1
    reading.reader.forget()
    assert fetch(Position(1, 30), 4) is None


async def test_entries_that_are_gone_are_told_apart_from_those_to_read() -> None:
    log = cold()
    log.roll_over()
    log.add(*ENTRIES[:2])
    log.trim()
    reading = Reading(log)
    assert reading.reader.fetch(Position(1, 10), 5) is None
    await reading.scope.settle()
    assert reading.reader.fetch(Position(1, 10), 5) == (Position(1, 10), [])


async def test_a_failed_read_is_tried_again_after_a_pause() -> None:
    log = cold()
    log.failures = 1
    reading = Reading(log)
    reading.reader.fetch(Position(1, 0), 1)
    await reading.scope.settle()
    assert reading.wakes == 0
    assert reading.reader.fetch(Position(1, 0), 1) is None
    assert len(log.reads) == 1
    assert reading.timers.fire() == [0.3]
    assert reading.wakes == 1
    reading.reader.fetch(Position(1, 0), 1)
    await reading.scope.settle()
    assert reading.reader.fetch(Position(1, 0), 1) == (Position(1, 0), ENTRIES[:1])


async def test_a_closed_reader_wakes_nobody() -> None:
    reading = Reading(cold())
    reading.reader.fetch(Position(1, 0), 1)
    reading.reader.close()
    await reading.scope.settle()
    assert reading.wakes == 0
    assert reading.reader.fetch(Position(1, 0), 1) is None
