"""Delayed messages on Shared: held back, brought in time, and what else waits for nothing."""

from typing import Any

from magnetar_ledger.position import Position
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.payloads import encode_payload

from tests.broker.consuming import FakeClock, MemoryLog, link_of, payload
from tests.broker.dispatch.test_shared_dispatcher import Setup, entry_ids

STRICT = {"delayed_delivery_strict": True}


def delayed(number: int, deliver_at_ms: int) -> bytes:
    metadata = api.MessageMetadata(
        producer_name="p", sequence_id=number, publish_time=0, deliver_at_time=deliver_at_ms
    )
    return encode_payload(metadata, b"body %d" % number)


def clock_of(setup: Setup) -> FakeClock:
    clock = setup.dispatcher._context.clock
    assert isinstance(clock, FakeClock)
    return clock


def setup_with(delays_ms: list[int | None], **limits: Any) -> tuple[Setup, Any, FakeClock]:
    """A consumer with room, and an entry per delay; None has none."""
    setup = Setup(**limits)
    one = setup.attach(permits=1_000)
    clock = clock_of(setup)
    setup.add(
        *(
            payload(n) if delay is None else delayed(n, clock.now_ms + delay)
            for n, delay in enumerate(delays_ms)
        )
    )
    return setup, one, clock


def pass_time(setup: Setup, milliseconds: int) -> None:
    clock_of(setup).now_ms += milliseconds
    setup.timers.fire()


def test_delayed_entries_wait_and_others_pass_them() -> None:
    setup, one, _ = setup_with([5_000, None, 3_000, None], **STRICT)
    assert entry_ids(one) == [1, 3]
    pass_time(setup, 2_999)
    assert entry_ids(one) == []
    pass_time(setup, 1)
    assert entry_ids(one) == [2]
    pass_time(setup, 2_000)
    assert entry_ids(one) == [0]
    assert setup.timers.later == []


def test_the_timer_is_never_later_than_a_tick() -> None:
    setup, _, _ = setup_with([86_400_000, 300], **STRICT)
    assert max(delay_s for delay_s, _ in setup.timers.later) <= 1.0
    assert min(delay_s for delay_s, _ in setup.timers.later) == 0.3


def test_unless_strict_delivery_is_up_to_a_tick_early() -> None:
    setup, one, _ = setup_with([1_000, 1_001])
    assert entry_ids(one) == [0]
    pass_time(setup, 1)
    assert entry_ids(one) == [1]


def test_what_is_over_or_no_time_is_delivered_at_once() -> None:
    _, one, _ = setup_with([0, -5, -(10**12)], **STRICT)
    assert entry_ids(one) == [0, 1, 2]


def test_due_entries_wait_for_permits_without_a_timer() -> None:
    setup = Setup(**STRICT)
    one = setup.attach(permits=1)
    clock = clock_of(setup)
    setup.add(delayed(0, clock.now_ms + 50), delayed(1, clock.now_ms + 50))
    pass_time(setup, 50)
    assert entry_ids(one) == [0]
    for _ in range(3):
        pass_time(setup, 1_000)
    assert setup.timers.later == []
    setup.dispatcher.flow(one, 5)
    assert entry_ids(one) == [1]


def test_an_entry_that_was_acked_meanwhile_does_not_come() -> None:
    setup, one, _ = setup_with([50, 50], **STRICT)
    setup.cursor.ack_individual(Position(1, 0))
    pass_time(setup, 50)
    assert entry_ids(one) == [1]


def test_a_redelivery_does_not_wait_again() -> None:
    setup, one, _ = setup_with([1_000])
    setup.dispatcher.redeliver(one, None)
    assert [each.redelivery_count for each in link_of(one).messages()] == [0, 1]


def test_the_last_consumer_takes_the_index_along_and_the_next_finds_the_entries_again() -> None:
    setup, one, clock = setup_with([500, None], **STRICT)
    setup.ack(one, 1)
    setup.dispatcher.remove(one)
    setup.timers.fire()
    other = setup.attach("b", permits=10)
    assert entry_ids(other) == []
    pass_time(setup, 500)
    assert entry_ids(other) == [0]
    assert clock.now_ms


def test_turned_off_nothing_waits() -> None:
    _, one, _ = setup_with([5_000, None], delayed_delivery_enabled=False)
    assert entry_ids(one) == [0, 1]


def test_parking_ends_a_turn_of_the_loop_too() -> None:
    setup = Setup(MemoryLog(), turn_max_bytes=20 * 1_024, **STRICT)
    one = setup.attach(permits=1_000)
    due_ms = clock_of(setup).now_ms + 50
    setup.add(*(delayed(n, due_ms) for n in range(100)))
    turns = 0
    while setup.timers.run_soon():
        turns += 1
    assert turns >= 4
    pass_time(setup, 50)
    while setup.timers.run_soon():
        pass
    assert sorted(entry_ids(one)) == list(range(100))


def test_a_broken_head_is_for_the_client_to_judge() -> None:
    setup = Setup()
    one = setup.attach(permits=10)
    setup.add(b"\x0e\x01broken")
    assert entry_ids(one) == [0]
