"""Messages that are collected into batches before they are sent."""

from collections.abc import Sequence
from typing import Protocol

from magnetar.outgoing import MessageOptions, Waiter, batched

_Row = tuple[bytes, MessageOptions | None, Waiter, float]
"""Content, options, who waits, until when."""


class Batch:
    """One batch that grows.

    Attributes:
        size_bytes: of its body.
        content_bytes: of the contents alone.
        deadline_s: when its first message is given up.
    """

    __slots__ = (
        "content_bytes",
        "deadline_s",
        "first_sequence_id",
        "last_sequence_id",
        "options",
        "parts",
        "size_bytes",
        "waiters",
    )

    def __init__(self, sequence_id: int, deadline_s: float, options: MessageOptions | None) -> None:
        self.first_sequence_id = sequence_id
        self.last_sequence_id = sequence_id
        self.deadline_s = deadline_s
        self.options = options
        self.parts: list[bytes] = []
        self.waiters: list[Waiter] = []
        self.size_bytes = 0
        self.content_bytes = 0

    def add(
        self, content: bytes, sequence_id: int, options: MessageOptions | None, waiter: Waiter
    ) -> None:
        """One more message."""
        head = batched(content, sequence_id, options)
        self.parts += (head, content)
        self.waiters.append(waiter)
        self.size_bytes += len(head) + len(content)
        self.content_bytes += len(content)
        self.last_sequence_id = sequence_id


class BatchContainer(Protocol):
    """Batches that are being filled."""

    @property
    def messages(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def content_bytes(self) -> int: ...

    def add(
        self,
        content: bytes,
        sequence_id: int,
        options: MessageOptions | None,
        waiter: Waiter,
        deadline_s: float,
    ) -> None:
        """Put a message in."""

    def take(self) -> Sequence[Batch]:
        """All batches, in the order of their first messages; the container is empty then."""


class DefaultBatches:
    """One batch of all messages as they come."""

    def __init__(self) -> None:
        self._batch: Batch | None = None

    @property
    def messages(self) -> int:
        return len(self._batch.waiters) if self._batch is not None else 0

    @property
    def size_bytes(self) -> int:
        return self._batch.size_bytes if self._batch is not None else 0

    @property
    def content_bytes(self) -> int:
        return self._batch.content_bytes if self._batch is not None else 0

    def add(
        self,
        content: bytes,
        sequence_id: int,
        options: MessageOptions | None,
        waiter: Waiter,
        deadline_s: float,
    ) -> None:
        if self._batch is None:
            # The broker and other clients look at the batch's key: that of the first message.
            self._batch = Batch(sequence_id, deadline_s, options)
        self._batch.add(content, sequence_id, options, waiter)

    def take(self) -> Sequence[Batch]:
        batch, self._batch = self._batch, None
        return [batch] if batch is not None else []


class KeyBasedBatches:
    """One batch per key.

    Sequence ids are given out again, batch by batch, when the batches go: a broker that looks for
    duplicates takes a batch whose ids are not above those of the one before for a repetition.
    """

    def __init__(self) -> None:
        self._rows: dict[bytes | None, list[_Row]] = {}
        self._sequence_ids: list[int] = []
        self.size_bytes = 0
        self.content_bytes = 0

    @property
    def messages(self) -> int:
        return len(self._sequence_ids)

    def add(
        self,
        content: bytes,
        sequence_id: int,
        options: MessageOptions | None,
        waiter: Waiter,
        deadline_s: float,
    ) -> None:
        key = options.batch_key if options is not None else None
        self._rows.setdefault(key, []).append((content, options, waiter, deadline_s))
        self._sequence_ids.append(sequence_id)
        self.size_bytes += len(batched(content, sequence_id, options)) + len(content)
        self.content_bytes += len(content)

    def take(self) -> Sequence[Batch]:
        sequence_ids = iter(sorted(self._sequence_ids))
        batches = []
        for rows in self._rows.values():
            batch = None
            for content, options, waiter, deadline_s in rows:
                sequence_id = next(sequence_ids)
                if batch is None:
                    batch = Batch(sequence_id, deadline_s, options)
                    batches.append(batch)
                batch.add(content, sequence_id, options, waiter)
        self._rows, self._sequence_ids = {}, []
        self.size_bytes = self.content_bytes = 0
        return batches
