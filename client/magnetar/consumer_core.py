"""What a consumer decides: which messages an entry gives, and how many more it may be sent.

Synchronous and without IO.
"""

from typing import TYPE_CHECKING

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.varints import signed

from magnetar.ack_state import AckState
from magnetar.chunk_starts import ChunkStarts
from magnetar.incoming import ChunkBuffer, Decompressor, Place, open_payload, split
from magnetar.message import Message
from magnetar.message_id import MessageId

if TYPE_CHECKING:
    from magnetar.consumer_options import ConsumerOptions
    from magnetar.topic_consumer import TopicConsumer


class ConsumerCore:
    """One consumer of one topic.

    Attributes:
        acks: what is acknowledged.
        position: of the last message that the user was given; where a subscription that is not
            durable goes on.
        start: what lies up to here is not wanted; None if everything is.
    """

    def __init__(
        self, source: "TopicConsumer", consumer_id: int, options: "ConsumerOptions"
    ) -> None:
        self.consumer_id = consumer_id
        self.acks = AckState(consumer_id, batch_index_acks=options.batch_index_ack_enabled)
        self.start = wanted_start(options.start_message_id)
        self.inclusive = options.start_message_id_inclusive
        self.position: MessageId | None = None
        self._source = source
        self._durable = options.durable
        self._queue_size = options.receiver_queue_size
        self._auto_ack = options.auto_ack_oldest_chunked_message_on_queue_full
        self._decompress = Decompressor()
        self._chunks = ChunkBuffer(options.max_pending_chunked_message, self._give_up_chunks)
        self._starts = ChunkStarts()
        self._freed = 0

    # Permits.

    @property
    def first_permits(self) -> int:
        """What the broker may send before anything is taken."""
        self._freed = 0
        return self._queue_size

    def freed(self, count: int) -> int:
        """So many messages have left the queue; gives the permits to tell now, or 0."""
        self._freed += count
        if self._freed < self._queue_size // 2:
            return 0
        permits, self._freed = self._freed, 0
        return permits

    # Entries.

    def entry(self, command: api.CommandMessage, payload: bytes) -> tuple[list[Message], int]:
        """Open an entry; gives its messages and how many of those it cost are not wanted.

        Raises:
            PayloadError: it is damaged.
            MissingExtraError: the library to decompress it is not installed.
        """
        metadata, body = open_payload(payload)
        data = command.message_id
        place = (signed(data.ledgerId), signed(data.entryId))
        if metadata.HasField("chunk_id") and metadata.num_chunks_from_msg > 1:
            return self._chunk(command, metadata, body, place)
        content = self._decompress(metadata, body)
        if metadata.HasField("num_messages_in_batch"):
            return self._batch(command, metadata, content, place)
        if self._unwanted(place, -1):
            self.acks.acknowledge(place, -1, 0)
            return [], 1
        message = Message(
            self._source, *place, -1, 0, content, metadata, None, command.redelivery_count
        )
        return [message], 0

    def _batch(
        self,
        command: api.CommandMessage,
        metadata: api.MessageMetadata,
        body: bytes,
        place: Place,
    ) -> tuple[list[Message], int]:
        count = metadata.num_messages_in_batch
        mask = self.acks.batch_received(place, count, command.ack_set)
        all_wanted = not command.ack_set and self.start is None
        source, retries = self._source, command.redelivery_count
        ledger_id, entry_id = place
        messages: list[Message] = []
        unwanted = 0
        for index, (single, content) in enumerate(split(body, count)):
            if not all_wanted and not mask >> index & 1:
                continue  # acknowledged: not charged by the broker
            compacted = not isinstance(single, bytes) and single.compacted_out
            if compacted or (not all_wanted and self._unwanted(place, index)):
                self.acks.acknowledge(place, index, count)
                unwanted += 1
                continue
            messages.append(
                Message(
                    source, ledger_id, entry_id, index, count, content, metadata, single, retries
                )
            )
        return messages, unwanted

    def _chunk(
        self,
        command: api.CommandMessage,
        metadata: api.MessageMetadata,
        body: bytes,
        place: Place,
    ) -> tuple[list[Message], int]:
        if not self._durable and metadata.chunk_id == 0:
            self._starts.began(place, instead_of=self._chunks.first_of(metadata.uuid))
        whole = self._chunks.add(metadata, body, place)
        if whole is None:
            return [], 1
        if self._unwanted(place, -1):
            self._starts.ended(whole.places[0])
            for each in whole.places:
                self.acks.acknowledge(each, -1, 0)
            return [], 1
        content = self._decompress(whole.metadata, whole.content)
        self.acks.chunks_received(whole.places)
        message = Message(
            self._source,
            *place,
            -1,
            0,
            content,
            whole.metadata,
            None,
            command.redelivery_count,
            whole.places[0],
        )
        return [message], 0

    def _give_up_chunks(self, places: list[Place]) -> None:
        self._starts.ended(places[0])
        if self._auto_ack:
            for place in places:
                self.acks.acknowledge(place, -1, 0)

    def _unwanted(self, place: Place, batch_index: int) -> bool:
        start = self.start
        if start is None:
            return False
        start_place = (start.ledger_id(), start.entry_id())
        if place != start_place:
            # Where a durable subscription begins the broker knows: an operator may have set it back
            # since the seek, and what is not wanted here is acknowledged.
            return not self._durable and place < start_place
        if self.inclusive:
            return batch_index < start.batch_index()
        return start.batch_index() < 0 or batch_index <= start.batch_index()

    # Beginning again.

    def given(self, message: Message) -> None:
        """The user was given a message, and the subscription is not durable."""
        self.position = message.message_id()
        self._starts.given(message._first_chunk)

    def beginning(self, begin: MessageId | None) -> MessageId | None:
        """Where the broker is to begin, so that messages in chunks come whole.

        Args:
            begin: as the user wants it, if no message was given since.
        """
        base = self.position or begin
        if base is begin and begin is not None and self.inclusive:
            base = begin.first_chunk() or begin
        first = self._starts.earliest()
        if base is None or first is None or first >= (base.ledger_id(), base.entry_id()):
            return base
        return MessageId(-1, *first)

    def detached(self) -> None:
        """The broker will send again what was not acknowledged."""
        if self._durable:
            self.acks.forget_batches()
        else:
            # The next cursor is another, and may have to begin before what was acknowledged.
            self.acks.forget()
        self._chunks.clear()

    def start_from(self, start: MessageId | None, *, inclusive: bool) -> None:
        """What lies up to `start` is not wanted from now on."""
        self.start = wanted_start(start)
        self.inclusive = inclusive
        self.position = None
        self._starts.clear()

    def resume(self) -> None:
        """A subscription that is not durable was opened again: what was given is not wanted."""
        if self.position is not None:
            self.start, self.inclusive = self.position, False


def wanted_start(start: MessageId | None) -> MessageId | None:
    """The start that a filter knows: none for the ends of the topic."""
    return None if start in (None, MessageId.earliest, MessageId.latest) else start
