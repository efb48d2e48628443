"""Messages as consumers and readers get them."""

from typing import TYPE_CHECKING, Any

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.texts import clean_text

from magnetar.message_id import MessageId

if TYPE_CHECKING:
    from magnetar.topic_consumer import TopicConsumer


class Message:
    """A received message. Its parts are methods, as in the official client."""

    __slots__ = (
        "_batch_index",
        "_batch_size",
        "_content",
        "_entry_id",
        "_first_chunk",
        "_ledger_id",
        "_metadata",
        "_redelivery_count",
        "_single",
        "_source",
    )

    def __init__(
        self,
        source: "TopicConsumer",
        ledger_id: int,
        entry_id: int,
        batch_index: int,
        batch_size: int,
        content: bytes,
        metadata: api.MessageMetadata,
        single: bytes | api.SingleMessageMetadata | None,
        redelivery_count: int,
        first_chunk: tuple[int, int] | None = None,
    ) -> None:
        self._source = source
        self._ledger_id = ledger_id
        self._entry_id = entry_id
        self._batch_index = batch_index
        self._batch_size = batch_size
        self._content = content
        self._metadata = metadata
        self._single = single
        self._redelivery_count = redelivery_count
        self._first_chunk = first_chunk

    def data(self) -> bytes:
        """The content as it was sent."""
        return self._content

    def value(self) -> Any:
        """The content as the consumer's schema reads it; the bytes if it has none."""
        return self._source.decode(self)

    def properties(self) -> dict[str, str]:
        """Texts by name that the application added."""
        return {clean_text(each.key): clean_text(each.value) for each in self._own().properties}

    def partition_key(self) -> str:
        """The key; empty if there is none."""
        return clean_text(self._own().partition_key)

    def has_partition_key(self) -> bool:
        """Whether there is a key, which may be empty."""
        return self._own().HasField("partition_key")

    def ordering_key(self) -> str:
        """What decides about the consumer instead of the key; empty if there is nothing."""
        return self._own().ordering_key.decode("utf-8", "surrogateescape")

    def publish_timestamp(self) -> int:
        """When it was sent, in ms since 1970, by the producer's clock."""
        return self._metadata.publish_time

    def event_timestamp(self) -> int:
        """The time that the application gave, in ms since 1970; 0 if it gave none."""
        return self._own().event_time

    def message_id(self) -> MessageId:
        """Where it is stored."""
        source = self._source
        first = self._first_chunk
        return MessageId(
            source.partition,
            self._ledger_id,
            self._entry_id,
            self._batch_index,
            batch_size=self._batch_size,
            topic=source.topic,
            first_chunk=None if first is None else MessageId(source.partition, *first),
        )

    def topic_name(self) -> str:
        """The full name of its topic, or of the partition."""
        return self._source.topic

    def redelivery_count(self) -> int:
        """How often the broker has sent it again."""
        return self._redelivery_count

    def schema_version(self) -> bytes:
        """The version of the schema that it was made with; empty if there is none."""
        return self._metadata.schema_version

    def producer_name(self) -> str:
        """Who sent it."""
        return clean_text(self._metadata.producer_name)

    def sequence_id(self) -> int:
        """Its number, as its producer counts."""
        own = self._own()
        return own.sequence_id if own.HasField("sequence_id") else self._metadata.sequence_id

    def encryption_context(self) -> None:
        """None: it is not encrypted."""

    def has_null_value(self) -> bool:
        """Whether it says that its key has no value any more."""
        return self._own().null_value

    @property
    def size_bytes(self) -> int:
        """Of the content."""
        return len(self._content)

    def _own(self) -> api.MessageMetadata | api.SingleMessageMetadata:
        single = self._single
        if single is None:
            return self._metadata
        if isinstance(single, bytes):  # nearly nobody asks: it is parsed when somebody does
            single = self._single = api.SingleMessageMetadata.FromString(single)
        return single

    def __repr__(self) -> str:
        return (
            f"<Message {self._ledger_id}:{self._entry_id}:{self._batch_index} of "
            f"{self._source.topic}, {len(self._content)} bytes>"
        )
