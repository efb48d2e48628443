from collections.abc import Sequence

from magnetar.errors import Timeout
from magnetar.message_id import MessageId
from magnetar.outgoing import ChunkedMessage, Send
from magnetar.pending_sends import PendingSends, Receipt


class Waiting:
    """Stands for a future."""

    def __init__(self) -> None:
        self.result: object = None
        self.error: object = None

    def done(self) -> bool:
        return self.result is not None or self.error is not None

    def set_result(self, result: object) -> None:
        self.result = result or True

    def set_exception(self, exception: object) -> None:
        self.error = exception


def send(
    sequence_id: int,
    waiters: Sequence[Waiting],
    *,
    highest: int = -1,
    deadline_s: float = 0,
    chunks: ChunkedMessage | None = None,
) -> Send:
    return Send(
        1,
        sequence_id,
        b"payload",
        waiters,
        deadline_s,
        7,
        highest_sequence_id=highest,
        batch_size=len(waiters) if highest >= 0 else 0,
        chunks=chunks,
    )


def test_a_refused_chunk_is_the_end_of_its_message() -> None:
    pending = PendingSends("t", -1)
    waiter, later = Waiting(), Waiting()
    shared = ChunkedMessage()
    for waiters in [], [], [waiter]:
        pending.add(send(0, waiters, chunks=shared))
    pending.add(send(1, [later]))
    error = Timeout("refused")
    assert pending.fail(0, error)
    assert waiter.error is error
    # The broker stored the last chunk all the same: the message is not whole.
    assert pending.receipt(0, 5, 7) is Receipt.LATE
    assert [each.sequence_id for each in pending] == [1]
    assert (pending.messages, later.done()) == (1, False)


def test_receipts_settle_the_first_in_order() -> None:
    pending = PendingSends("t", 3)
    waiters = [Waiting(), Waiting()]
    pending.add(send(0, waiters[:1]))
    pending.add(send(1, waiters[1:]))
    assert (pending.messages, pending.size_bytes) == (2, 14)
    assert pending.receipt(1, 5, 6) is Receipt.AHEAD
    assert pending.receipt(0, 5, 6) is Receipt.SETTLED
    assert pending.receipt(0, 5, 6) is Receipt.LATE
    assert waiters[0].result == MessageId(3, 5, 6)
    assert not waiters[1].done()
    assert (pending.messages, pending.size_bytes, pending.last_sequence_id) == (1, 7, 0)


def test_a_batch_is_settled_by_its_first_or_last_id() -> None:
    for receipt in (10, 12):
        pending = PendingSends("t", -1)
        waiters = [Waiting() for _ in range(3)]
        pending.add(send(10, waiters, highest=12))
        assert pending.receipt(receipt, 1, 2) is Receipt.SETTLED
        assert [each.result for each in waiters] == [MessageId(-1, 1, 2, i) for i in range(3)]
        assert pending.last_sequence_id == 12


def test_a_duplicate_has_no_place() -> None:
    pending = PendingSends("t", -1)
    waiter = Waiting()
    pending.add(send(0, [waiter]))
    pending.receipt(0, 2**64 - 1, 2**64 - 1)
    assert waiter.result == MessageId(-1, -1, -1)


def test_chunks_tell_where_the_first_is() -> None:
    pending = PendingSends("t", -1)
    shared, waiter = ChunkedMessage(), Waiting()
    pending.add(send(4, [], chunks=shared))
    pending.add(send(4, [waiter], chunks=shared))
    pending.receipt(4, 1, 7)
    assert not waiter.done()
    pending.receipt(4, 1, 9)
    assert isinstance(waiter.result, MessageId)
    assert waiter.result.first_chunk() == MessageId(-1, 1, 7)


def test_the_oldest_expire_and_later_receipts_of_them_are_late() -> None:
    pending = PendingSends("t", -1)
    waiters = [Waiting(), Waiting()]
    pending.add(send(0, waiters[:1], deadline_s=10))
    pending.add(send(1, waiters[1:], deadline_s=20))
    assert pending.next_deadline_s == 10
    pending.expire(15, Timeout("late"))
    assert isinstance(waiters[0].error, Timeout)
    assert not waiters[1].done()
    assert pending.receipt(0, 1, 1) is Receipt.LATE
    assert pending.receipt(1, 1, 2) is Receipt.SETTLED


def test_only_the_first_can_be_refused() -> None:
    pending = PendingSends("t", -1)
    waiters = [Waiting(), Waiting()]
    pending.add(send(0, waiters[:1]))
    pending.add(send(1, waiters[1:]))
    assert not pending.fail(1, Timeout("x"))
    assert pending.fail(0, Timeout("x"))
    assert waiters[0].error is not None
    pending.fail_all(Timeout("y"))
    assert waiters[1].error is not None
    assert (pending.messages, pending.size_bytes, len(pending)) == (0, 0, 0)


def test_who_waits_for_all_waits_for_what_was_there() -> None:
    pending = PendingSends("t", -1)
    watcher, at_once = Waiting(), Waiting()
    pending.when_settled(at_once)
    assert at_once.done()
    pending.add(send(0, [Waiting()]))
    pending.add(send(1, [Waiting()]))
    pending.when_settled(watcher)
    pending.add(send(2, [Waiting()]))
    pending.receipt(0, 1, 1)
    assert not watcher.done()
    pending.fail(1, Timeout("x"))
    assert watcher.done()
