"""Which messages of a topic were stored before: sequence ids by producer, without doing anything.

A producer's sequence ids grow. Two of them are kept of each: the highest that was handed to the
ledger (pushed) and the highest that is known to be stored. What lies between is not decided.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from magnetar_ledger.position import Position
from magnetar_proto.errors import PayloadError
from magnetar_proto.payloads import Chunk, chunk_of, parse_metadata
from magnetar_proto.texts import clean_text

NONE: Final = -1
_SIGN: Final = 1 << 63
_LARGEST: Final = _SIGN - 1
_UNKNOWN: Final = -_SIGN - 1
"""Below each id, as ids beyond the largest are negative."""
_KEPT_PERCENT: Final = 90
_MAX_CHUNKED: Final = 1000
"""Of one producer; more than the chunked messages that a client may have under way."""


class Verdict(IntEnum):
    """What is known of a message that came."""

    NEW = 0
    STORED = 1
    UNDECIDED = 2
    """It is with the ledger already, and not known to be stored."""


_ChunkedKey = tuple[int, str, int]
"""Sequence id, uuid and time of a chunked message.

A client that sends a chunk again sends the same bytes. An application that sends its message again
does so at another time, and its chunks may be cut elsewhere: the two must not be mixed.
"""


@dataclass(slots=True)
class _Chunked:
    """A chunked message that is not wholly stored.

    Attributes:
        pushed, stored: Its last chunks that were.
        first: The place of its first stored chunk.
    """

    pushed: int = NONE
    stored: int = NONE
    first: Position | None = None


@dataclass(slots=True)
class _ChunkNote:
    """An entry with the ledger that is a chunk; `number` counts the entries since the start."""

    number: int
    message: _Chunked
    chunk: Chunk


class Deduplication:
    """The sequence ids of one topic.

    Attributes:
        stored_since_snapshot: Entries.
    """

    def __init__(self, max_producers: int, attached: Collection[str]) -> None:
        """
        Args:
            max_producers: Beyond it producers are forgotten, but for those that are attached.
            attached: The names of producers that are, at any time.
        """
        self.stored_since_snapshot = 0
        self._max_producers = max_producers
        self._attached = attached
        self._pushed: dict[str, int] = {}
        self._stored: dict[str, int] = {}
        self._chunked: dict[str, dict[_ChunkedKey, _Chunked]] = {}
        self._notes: deque[_ChunkNote] = deque()
        self._admitted = 0
        self._ended = 0
        self._idle_since_ms: dict[str, int] = {}

    # Before a message is stored.

    def admit(
        self,
        name: str,
        sequence_id: int,
        highest_sequence_id: int,
        messages: int,
        payload: bytes,
    ) -> Verdict:
        """What is known of a message; if it is new, it counts as handed to the ledger.

        A batch of which a part was stored is new: in doubt messages are kept twice, never lost.

        Args:
            highest_sequence_id: of a batch; else -1, in the protocol's unsigned form or not.
            messages: in the batch; else 1.
        """
        sequence_id, highest = _range_of(sequence_id, highest_sequence_id, messages)
        pushed = self._pushed.get(name, _UNKNOWN)
        if highest <= pushed:
            stored = highest <= self._stored.get(name, _UNKNOWN)
            return Verdict.STORED if stored else Verdict.UNDECIDED
        if sequence_id <= pushed and sequence_id > self._stored.get(name, _UNKNOWN):
            return Verdict.UNDECIDED
        chunk = chunk_of(payload)
        if chunk is not None:
            verdict = self._admit_chunk(name, chunk, highest)
            if verdict is not Verdict.NEW or not chunk.is_last:
                return verdict
        else:
            self._admitted += 1
        if pushed == _UNKNOWN:
            self._make_room()
        self._pushed[name] = highest
        return Verdict.NEW

    def _admit_chunk(self, name: str, chunk: Chunk, sequence_id: int) -> Verdict:
        key = (sequence_id, chunk.uuid, chunk.publish_time)
        messages = self._chunked.setdefault(name, {})
        message = messages.get(key)
        if message is None:
            message = messages[key] = _Chunked()
            if len(messages) > _MAX_CHUNKED:
                del messages[next(iter(messages))]
        if chunk.chunk_id <= message.stored:
            return Verdict.STORED
        if chunk.chunk_id <= message.pushed:
            return Verdict.UNDECIDED
        message.pushed = chunk.chunk_id
        self._notes.append(_ChunkNote(self._admitted, message, chunk))
        self._admitted += 1
        return Verdict.NEW

    def last_pushed(self, name: str) -> int:
        """Where a producer that comes again goes on counting behind; -1 if it is not known.

        Not the last stored one: a new message with the id of one under way would count as it.
        """
        return self._pushed.get(name, NONE)

    def is_stored(
        self, name: str, sequence_id: int, highest_sequence_id: int, messages: int
    ) -> bool:
        """Whether a message that was undecided is stored by now."""
        _, highest = _range_of(sequence_id, highest_sequence_id, messages)
        return highest <= self._stored.get(name, _UNKNOWN)

    # When the ledger is done with it.

    def stored(
        self,
        name: str,
        sequence_id: int,
        highest_sequence_id: int,
        messages: int,
        ledger_id: int,
        entry_id: int,
    ) -> None:
        """The oldest entry that was admitted is stored."""
        self._ended += 1
        self.stored_since_snapshot += 1
        if self._notes and self._notes[0].number < self._ended:
            note = self._notes.popleft()
            if not _chunk_stored(note, Position(ledger_id, entry_id)):
                return
        _, highest = _range_of(sequence_id, highest_sequence_id, messages)
        if highest > self._stored.get(name, _UNKNOWN):
            self._stored[name] = highest
            if name in self._chunked:
                self._drop_passed_chunks(name, highest)

    def _drop_passed_chunks(self, name: str, stored: int) -> None:
        messages = self._chunked[name]
        for key in [key for key in messages if key[0] <= stored]:
            del messages[key]
        if not messages:
            del self._chunked[name]

    def failed(self, count: int) -> None:
        """The oldest entries that were admitted are not stored."""
        self._ended += count
        while self._notes and self._notes[0].number < self._ended:
            self._notes.popleft()

    def forget_failed(self) -> None:
        """Nothing is under way: what was not stored may come again."""
        assert self._ended == self._admitted, "entries are under way"
        self._pushed = dict(self._stored)
        for messages in self._chunked.values():
            for message in messages.values():
                message.pushed = message.stored

    # Snapshots.

    def snapshot(self) -> dict[str, int]:
        """What is to be kept: the last stored sequence ids by producer."""
        self.stored_since_snapshot = 0
        return dict(self._stored)

    def snapshot_position(self, last: Position) -> Position:
        """The place behind which entries have to be read again, for a snapshot of now.

        Args:
            last: the last stored entry.
        """
        # The chunks of a message that is not complete stand in no snapshot.
        open_ones = (each for messages in self._chunked.values() for each in messages.values())
        firsts = [each.first for each in open_ones if each.first is not None]
        if not firsts:
            return last
        ledger_id, entry_id = min(firsts)
        return min(last, Position(ledger_id, entry_id - 1))

    def restore(self, snapshot: Mapping[str, int]) -> None:
        """Take over a snapshot, before anything else."""
        self._stored = dict(snapshot)
        self._pushed = dict(snapshot)

    def replay(self, payload: bytes, position: Position) -> None:
        """An entry that was stored since the snapshot."""
        try:
            metadata, _ = parse_metadata(payload)
        except PayloadError:
            return  # what a producer wrote may be anything
        name = clean_text(metadata.producer_name)
        sequence_id, highest = metadata.sequence_id, NONE
        if metadata.HasField("highest_sequence_id"):
            highest = metadata.highest_sequence_id
        messages = metadata.num_messages_in_batch
        if self.admit(name, sequence_id, highest, messages, payload) is Verdict.NEW:
            self.stored(name, sequence_id, highest, messages, *position)
        else:
            self.stored_since_snapshot += 1

    # Producers that do not come any more.

    def purge(self, now_ms: int, timeout_ms: int) -> bool:
        """Forget producers that were away for that long; whether there were any."""
        idle = self._idle_since_ms
        for name in self._pushed.keys() | self._chunked.keys():
            if name not in self._attached and self._is_quiet(name):
                idle.setdefault(name, now_ms)
            else:
                idle.pop(name, None)
        gone = [name for name, since_ms in idle.items() if now_ms - since_ms >= timeout_ms]
        for name in gone:
            self._forget(name)
        return bool(gone)

    def _is_quiet(self, name: str) -> bool:
        messages = self._chunked.get(name, {}).values()
        chunks_stored = all(each.pushed == each.stored for each in messages)
        return chunks_stored and self._pushed.get(name) == self._stored.get(name)

    def _make_room(self) -> None:
        """Forget those that came first, if there are too many: several, as looking takes time."""
        if len(self._pushed) < self._max_producers:
            return
        spare = len(self._pushed) - self._max_producers * _KEPT_PERCENT // 100
        quiet = (n for n in self._pushed if n not in self._attached and self._is_quiet(n))
        for name in [name for name, _ in zip(quiet, range(spare), strict=False)]:
            self._forget(name)

    def _forget(self, name: str) -> None:
        for each in (self._pushed, self._stored, self._chunked, self._idle_since_ms):
            each.pop(name, None)


def _range_of(sequence_id: int, highest_sequence_id: int, messages: int) -> tuple[int, int]:
    """First and last sequence id, signed as snapshots hold them.

    The C++ client does not tell the last one of a batch. Ids grow, so it is not before this one;
    nor behind the largest, whatever count a client tells: no snapshot could hold it.
    """
    if sequence_id >= _SIGN:
        sequence_id -= 2 * _SIGN
    if highest_sequence_id >= _SIGN:
        highest_sequence_id -= 2 * _SIGN
    last = sequence_id + messages - 1 if messages > 1 else sequence_id
    return sequence_id, min(max(last, highest_sequence_id), _LARGEST)


def _chunk_stored(note: _ChunkNote, position: Position) -> bool:
    """Note that a chunk is stored; whether its message is complete with it."""
    message = note.message
    message.stored = note.chunk.chunk_id
    if message.first is None:
        message.first = position
    return note.chunk.is_last
