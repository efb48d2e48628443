"""Where a message is stored; its bytes are those of Pulsar's other clients."""

from typing import ClassVar, Final

from google.protobuf.message import DecodeError
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.varints import signed

UINT64_END: Final = 1 << 64
_LAST: Final = (1 << 63) - 1

_Place = tuple[int, int, int, int]


class MessageId:
    """The place of a message: ledger, entry, index in its batch, partition.

    Ids are values: they compare, sort and hash by their place, never change, and may be kept as
    bytes. Within one partition they sort in the order of the topic.

    Attributes:
        earliest: before the first message that a topic holds.
        latest: behind the last one.
    """

    __slots__ = ("_batch_size", "_first_chunk", "_place", "_topic")

    earliest: ClassVar["MessageId"]
    latest: ClassVar["MessageId"]

    def __init__(
        self,
        partition: int = -1,
        ledger_id: int = -1,
        entry_id: int = -1,
        batch_index: int = -1,
        *,
        batch_size: int = 0,
        topic: str | None = None,
        first_chunk: "MessageId | None" = None,
    ) -> None:
        """Args:
        partition: number of the partition, -1 if the topic has none.
        ledger_id: the ledger.
        entry_id: the entry of that ledger.
        batch_index: which message of its entry, -1 if it is alone there.
        batch_size: how many messages the entry has, 0 if it is not known.
        topic: the topic, where one consumer has several.
        first_chunk: where a message that was cut into chunks begins.
        """
        self._place: _Place = (ledger_id, entry_id, batch_index, partition)
        self._batch_size = batch_size
        self._topic = topic
        self._first_chunk = first_chunk

    def ledger_id(self) -> int:
        """The ledger."""
        return self._place[0]

    def entry_id(self) -> int:
        """The entry of its ledger."""
        return self._place[1]

    def batch_index(self) -> int:
        """Which message of its entry it is; -1 if it is alone there."""
        return self._place[2]

    def partition(self) -> int:
        """The number of the partition; -1 if the topic has none."""
        return self._place[3]

    def batch_size(self) -> int:
        """How many messages its entry has; 0 if that is not known."""
        return self._batch_size

    def topic_name(self) -> str | None:
        """The topic, if it is known: bytes do not hold it."""
        return self._topic

    def first_chunk(self) -> "MessageId | None":
        """Where its first chunk is, if the message was cut into chunks."""
        return self._first_chunk

    def serialize(self) -> bytes:
        """The id as bytes, which `deserialize` of this and of Pulsar's other clients reads."""
        return _to_data(self).SerializeToString()

    @staticmethod
    def deserialize(message_id_bytes: bytes, topic: str | None = None) -> "MessageId":
        """An id from its bytes.

        Args:
            message_id_bytes: what `serialize` of any of Pulsar's clients gave.
            topic: the topic, which a consumer of several topics must know.

        Raises:
            ValueError: the bytes are not an id.
        """
        try:
            data = api.MessageIdData.FromString(message_id_bytes)
        except DecodeError as error:
            raise ValueError(f"{len(message_id_bytes)} bytes are not a message id") from error
        if not data.IsInitialized():
            raise ValueError(f"{len(message_id_bytes)} bytes are not a message id")
        return from_data(data, topic)

    def __eq__(self, other: object) -> bool:
        return self._place == other._place if isinstance(other, MessageId) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._place)

    def __lt__(self, other: "MessageId") -> bool:
        return self._place < other._place if isinstance(other, MessageId) else NotImplemented

    def __le__(self, other: "MessageId") -> bool:
        return self._place <= other._place if isinstance(other, MessageId) else NotImplemented

    def __gt__(self, other: "MessageId") -> bool:
        return self._place > other._place if isinstance(other, MessageId) else NotImplemented

    def __ge__(self, other: "MessageId") -> bool:
        return self._place >= other._place if isinstance(other, MessageId) else NotImplemented

    def __str__(self) -> str:
        ledger_id, entry_id, batch_index, partition = self._place
        own = f"({ledger_id},{entry_id},{partition},{batch_index})"
        return own if self._first_chunk is None else f"{self._first_chunk};{own}"

    def __repr__(self) -> str:
        return f"<MessageId {self}>"


MessageId.earliest = MessageId()
MessageId.latest = MessageId(-1, _LAST, _LAST)


def from_data(data: api.MessageIdData, topic: str | None = None) -> MessageId:
    """The id that stands in a command."""
    first = data.first_chunk_message_id if data.HasField("first_chunk_message_id") else None
    return MessageId(
        data.partition,
        signed(data.ledgerId),
        signed(data.entryId),
        data.batch_index,
        batch_size=data.batch_size,
        topic=topic,
        first_chunk=None if first is None else from_data(first, topic),
    )


def fill(data: api.MessageIdData, message_id: MessageId) -> None:
    """Put an id into a command. One of a message in chunks goes there by its last chunk."""
    data.ledgerId = message_id.ledger_id() % UINT64_END
    data.entryId = message_id.entry_id() % UINT64_END
    if message_id.partition() >= 0:
        data.partition = message_id.partition()
    if message_id.batch_index() >= 0:
        data.batch_index = message_id.batch_index()


def _to_data(message_id: MessageId) -> api.MessageIdData:
    # Batch size and topic stay out: the official client writes neither.
    data = api.MessageIdData()
    fill(data, message_id)
    first = message_id.first_chunk()
    if first is not None:
        data.first_chunk_message_id.CopyFrom(_to_data(first))
    return data
