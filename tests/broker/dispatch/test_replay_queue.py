from hypothesis import given
from hypothesis import strategies as st
from magnetar_broker.dispatch.replay_queue import ReplayQueue
from magnetar_ledger.position import Position

POSITIONS = st.tuples(st.integers(0, 3), st.integers(0, 12))


@given(
    added=st.lists(POSITIONS, max_size=60),
    dropped=st.lists(POSITIONS, max_size=60),
    limit=st.integers(1, 5),
)
def test_gives_the_smallest_run_of_what_was_added_and_not_dropped(
    added: list[tuple[int, int]], dropped: list[tuple[int, int]], limit: int
) -> None:
    queue = ReplayQueue()
    for ledger_id, entry_id in added:
        queue.add(ledger_id, entry_id)
    for ledger_id, entry_id in dropped:
        queue.discard(ledger_id, entry_id)
    left = sorted(set(added) - set(dropped))
    assert len(queue) == len(left)
    given_out = []
    while (run := queue.first_run(limit)) is not None:
        (ledger_id, entry_id), count = run
        assert 1 <= count <= limit
        for step in range(count):
            given_out.append((ledger_id, entry_id + step))
            queue.discard(ledger_id, entry_id + step)
    assert given_out == left


def test_an_entry_may_come_back_after_it_was_dropped() -> None:
    queue = ReplayQueue()
    queue.add(7, 3)
    queue.discard(7, 3)
    queue.add(7, 3)
    queue.add(7, 3)
    assert len(queue) == 1
    assert queue.first_run(10) == (Position(7, 3), 1)


def test_large_ids_keep_their_order() -> None:
    queue = ReplayQueue()
    queue.add(2**62, 0)
    queue.add(5, 2**62)
    assert queue.first_run(1) == (Position(5, 2**62), 1)
    assert Position(2**62, 0) in queue
    queue.clear()
    assert len(queue) == 0
    assert queue.first_run(1) is None


def test_dropped_entries_leave_the_heap() -> None:
    queue = ReplayQueue()
    for entry_id in range(1000):
        queue.add(1, entry_id)
    for entry_id in range(999, 0, -1):
        queue.discard(1, entry_id)
    assert len(queue._heap) <= 64
    assert queue.first_run(10) == (Position(1, 0), 1)
