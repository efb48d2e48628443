"""The gate: when producers wait, what is refused, and how refusals are told."""

import asyncio

from magnetar_proto.bookie import Status
from magnetar_storage.admission import Admission
from magnetar_storage.config import BookieConfig
from magnetar_storage.counters import BookieCounters

from tests.proto.bookie_contract import Adds


def gate() -> Admission:
    config = BookieConfig(
        ledger_directories=("l",),
        journal_directories=("j",),
        write_cache_bytes=200,
        journal_queue_bytes=1000,
    )
    return Admission(config, asyncio.get_running_loop(), BookieCounters())


async def test_a_full_queue_stops_producers_until_it_is_half_empty() -> None:
    admission = gate()
    for waiting, writable in ((999, True), (1000, False), (999, False), (500, False), (499, True)):
        admission.measure(0, False, waiting)
        assert admission.writable is writable, waiting


async def test_a_full_half_stops_producers_only_behind_a_flush() -> None:
    admission = gate()
    admission.measure(100, False, 0)
    assert admission.writable
    admission.measure(100, True, 0)
    assert not admission.writable
    admission.measure(150, False, 0)
    assert not admission.writable


async def test_adds_are_refused_at_twice_the_limits() -> None:
    admission = gate()
    for active, waiting, refusing in (
        (199, 0, None),
        (200, 0, Status.TOO_MANY_REQUESTS),
        (0, 1999, None),
        (0, 2000, Status.TOO_MANY_REQUESTS),
        (0, 0, None),
    ):
        admission.measure(active, False, waiting)
        assert admission.refusing is refusing


async def test_callbacks_come_once_and_later() -> None:
    admission = gate()
    calls: list[str] = []
    admission.when_writable(lambda: calls.append("at once"))
    assert calls == []
    admission.measure(0, False, 1000)
    admission.when_writable(lambda: calls.append("later"))
    await asyncio.sleep(0)
    assert calls == ["at once"]
    admission.measure(0, False, 0)
    admission.measure(0, False, 0)
    assert calls == ["at once"]
    await asyncio.sleep(0)
    assert calls == ["at once", "later"]


async def test_a_state_refuses_all_and_sends_for_those_who_wait() -> None:
    admission = gate()
    admission.measure(0, False, 5000)
    calls: list[bool] = []
    admission.when_writable(lambda: calls.append(True))
    admission.set_state(Status.IO_ERROR)
    admission.measure(0, False, 5000)
    await asyncio.sleep(0)
    assert (calls, admission.writable, admission.refusing) == ([True], True, Status.IO_ERROR)
    admission.set_state(None)
    assert admission.refusing is None


async def test_refusals_are_told_in_batches() -> None:
    admission = gate()
    one, other = Adds(), Adds()
    admission.refuse(one, [1], Status.FENCED)
    admission.refuse(other, [2], Status.FENCED)
    admission.refuse(one, [3], Status.FENCED)
    admission.refuse(one, [4, 5], Status.READ_ONLY)
    assert one.batches == []
    await asyncio.sleep(0)
    assert one.batches == [([1, 3], Status.FENCED), ([4, 5], Status.READ_ONLY)]
    assert other.batches == [([2], Status.FENCED)]
