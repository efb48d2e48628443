"""Messages that were sent and have no receipt yet: matched, repeated, given up."""

from collections import deque
from collections.abc import Iterator
from enum import Enum, auto

from magnetar_proto.varints import signed

from magnetar.errors import PulsarException
from magnetar.message_id import MessageId
from magnetar.outgoing import Send, Waiter


class Receipt(Enum):
    """What a receipt means."""

    SETTLED = auto()
    LATE = auto()
    """Of a message that was given up."""
    AHEAD = auto()
    """Of a message behind one that has none: the broker and the client disagree."""


class PendingSends:
    """What one producer sent, in order.

    Attributes:
        messages: how many.
        size_bytes: of their contents.
        last_sequence_id: of the last message with a receipt; -1 if there is none.
    """

    def __init__(self, topic: str, partition: int) -> None:
        self._topic = topic
        self._partition = partition
        self._rows: deque[Send] = deque()
        self.messages = 0
        self.size_bytes = 0
        self.last_sequence_id = -1
        self._added = 0
        self._ended = 0
        self._watchers: deque[tuple[int, Waiter]] = deque()

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Send]:
        return iter(self._rows)

    def add(self, send: Send) -> None:
        """It is being sent."""
        self._rows.append(send)
        self._added += 1
        self.messages += len(send.waiters)
        self.size_bytes += send.content_bytes

    def receipt(self, sequence_id: int, ledger_id: int, entry_id: int) -> Receipt:
        """The broker has stored what has this sequence id."""
        rows = self._rows
        if not rows:
            return Receipt.LATE
        send = rows[0]
        if sequence_id not in (send.sequence_id, send.highest_sequence_id):
            return Receipt.AHEAD if sequence_id > send.highest_sequence_id else Receipt.LATE
        rows.popleft()
        self._settle(send, signed(ledger_id), signed(entry_id))
        if self._watchers:
            self._tell_watchers()
        return Receipt.SETTLED

    def _settle(self, send: Send, ledger_id: int, entry_id: int) -> None:
        waiters, size = send.waiters, send.batch_size
        self._leave(send)
        self.last_sequence_id = send.highest_sequence_id
        first_chunk = None
        if send.chunks is not None:
            if send.chunks.first is None:
                send.chunks.first = (ledger_id, entry_id)
            first_chunk = MessageId(self._partition, *send.chunks.first)
        for index, waiter in enumerate(waiters):
            if not waiter.done():
                waiter.set_result(
                    MessageId(
                        self._partition,
                        ledger_id,
                        entry_id,
                        index if size else -1,
                        batch_size=size,
                        topic=self._topic,
                        first_chunk=first_chunk,
                    )
                )

    def fail(self, sequence_id: int, error: PulsarException) -> bool:
        """The broker refuses the first; False if that has another sequence id."""
        if not self._rows:
            return False
        send = self._rows[0]
        if sequence_id not in (send.sequence_id, send.highest_sequence_id):
            return False
        self._give_up(self._rows.popleft(), error)
        # Without one of its chunks a message is not whole, whatever becomes of the others.
        while send.chunks is not None and self._rows and self._rows[0].chunks is send.chunks:
            self._give_up(self._rows.popleft(), error)
        return True

    def expire(self, now_s: float, error: PulsarException) -> None:
        """Give up what has waited too long; all later ones have waited less."""
        while self._rows and 0 < self._rows[0].deadline_s <= now_s:
            self._give_up(self._rows.popleft(), error)

    def fail_all(self, error: PulsarException) -> None:
        """Give all up."""
        while self._rows:
            self._give_up(self._rows.popleft(), error)

    @property
    def next_deadline_s(self) -> float:
        """When the first is given up; 0 if none ever is."""
        return self._rows[0].deadline_s if self._rows else 0.0

    def _give_up(self, send: Send, error: PulsarException) -> None:
        self._leave(send)
        fail_waiters(send, error)
        self._tell_watchers()

    def _leave(self, send: Send) -> None:
        self._ended += 1
        self.messages -= len(send.waiters)
        self.size_bytes -= send.content_bytes

    def when_settled(self, watcher: Waiter) -> None:
        """Set the watcher's result when all that is here now has left."""
        self._watchers.append((self._added, watcher))
        self._tell_watchers()

    def _tell_watchers(self) -> None:
        while self._watchers and self._watchers[0][0] <= self._ended:
            watcher = self._watchers.popleft()[1]
            if not watcher.done():
                watcher.set_result(None)


def fail_waiters(send: Send, error: PulsarException) -> None:
    """Tell all that wait for a send."""
    for waiter in send.waiters:
        if not waiter.done():
            waiter.set_exception(error)
