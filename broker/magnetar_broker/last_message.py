"""The id of a topic's last message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from magnetar_ledger.position import EARLIEST
from magnetar_proto.errors import PayloadError
from magnetar_proto.frames import parse_metadata

from magnetar_broker.consume_answers import message_id_of

if TYPE_CHECKING:
    from magnetar_proto import pulsar_api_pb2 as api

    from magnetar_broker.subscription import SubscribedTopic

_ONE_ENTRY_BYTES: Final = 1


async def last_message_id(topic: SubscribedTopic) -> api.MessageIdData:
    """The last entry, with the index of its last message if it is a batch; -1:-1 if none is left.

    Raises:
        LedgerError: The entry could not be read.
    """
    ledger, partition = topic.ledger, topic.name.partition_index
    last = ledger.last_position
    if last.entry_id < 0:
        return message_id_of(EARLIEST, partition=partition)
    got = ledger.read_cached(last, 1, _ONE_ENTRY_BYTES)
    position, payloads = got if got is not None else await ledger.read(last, 1, _ONE_ENTRY_BYTES)
    if not payloads:  # all entries were trimmed
        return message_id_of(EARLIEST, partition=partition)
    return message_id_of(position, partition=partition, batch_index=_last_batch_index(payloads[0]))


def _last_batch_index(payload: bytes) -> int:
    """-1 if the entry is no batch; a batch of one message is a batch."""
    try:
        metadata, _ = parse_metadata(payload)
    except PayloadError:
        return -1  # what a producer wrote may be anything; it still has a position
    if not metadata.HasField("num_messages_in_batch"):
        return -1
    return metadata.num_messages_in_batch - 1
