from magnetar.batches import DefaultBatches, KeyBasedBatches
from magnetar.outgoing import MessageOptions

from tests.client.test_pending_sends import Waiting


def test_one_batch_of_all() -> None:
    batches = DefaultBatches()
    assert (batches.messages, batches.size_bytes, batches.content_bytes) == (0, 0, 0)
    for number in range(3):
        batches.add(b"abc", 5 + number, None, Waiting(), 1.0)
    assert (batches.messages, batches.content_bytes) == (3, 9)
    [batch] = batches.take()
    assert batches.take() == []
    assert (batch.first_sequence_id, batch.last_sequence_id, len(batch.waiters)) == (5, 7, 3)
    assert len(b"".join(batch.parts)) == batch.size_bytes


def test_one_batch_per_key_numbered_one_behind_the_other() -> None:
    batches = KeyBasedBatches()
    keys = ["b", "a", "b", None]
    for number, key in enumerate(keys):
        options = None if key is None else MessageOptions(partition_key=key)
        batches.add(b"x", number, options, Waiting(), 1.0)
    assert batches.messages == 4
    size_bytes = batches.size_bytes
    taken = batches.take()
    ids = [(batch.first_sequence_id, batch.last_sequence_id) for batch in taken]
    assert ids == [(0, 1), (2, 2), (3, 3)]
    assert [len(batch.waiters) for batch in taken] == [2, 1, 1]
    assert sum(batch.size_bytes for batch in taken) == size_bytes
    assert (batches.messages, batches.size_bytes, batches.content_bytes) == (0, 0, 0)
