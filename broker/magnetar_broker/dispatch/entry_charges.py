"""What an entry costs its consumer: the messages in it that are not acked yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from magnetar_ledger.position import EARLIEST, Position
from magnetar_proto.ack_sets import bits_of_words, words_of_bits
from magnetar_proto.errors import PayloadError
from magnetar_proto.frames import message_count

if TYPE_CHECKING:
    from magnetar_ledger.managed import Cursor

_WORD_MASK: Final = 2**64 - 1


def bits_set(ack_set: Sequence[int]) -> int:
    """How many batch indexes are not acked, of words that are signed on the wire."""
    return sum((word & _WORD_MASK).bit_count() for word in ack_set)


def messages_in(payload: bytes) -> int:
    """How many messages a client will count in an entry: at least one, but none in a marker.

    Producers may write what they like: an entry whose metadata is broken or lies is still sent, for
    the client to judge, and must not stop the subscription or give permits back.
    """
    try:
        count = message_count(payload)
    except PayloadError:
        return 1
    return count if count >= 0 else 1


def counts_within(payloads: Sequence[bytes], room: int) -> list[int]:
    """The messages of each unacked entry, up to the one that fills the room, or before a marker."""
    counts: list[int] = []
    for payload in payloads:
        try:
            count = message_count(payload)
        except PayloadError:
            count = 1
        if count < 1:
            if not count:
                break
            count = 1
        counts.append(count)
        room -= count
        if room <= 0:
            break
    return counts


class EntryCharges:
    """Asks the cursor only about entries that may have been acked before they are read.

    Attributes:
        acked_until: Nothing behind this entry is acked, not even in part, or was given back before
            reading began.
        ack_set: Of the entry that `unacked` was asked about last; empty if all of it is unacked.
    """

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.acked_until = EARLIEST
        self.ack_set: Sequence[int] = ()

    def rewind(self) -> None:
        """Reading begins anew."""
        cursor = self._cursor
        self.acked_until = max(cursor.last_acked, cursor.redeliveries.last)

    def unacked(self, ledger_id: int, entry_id: int, payload: bytes) -> int:
        """The number of messages that a consumer is charged for; 0 if there is nothing to send.

        That is so of what is acked, and of markers, which are acked here: no consumer will.
        """
        left = self._left_of(ledger_id, entry_id)
        if left is None:
            return self._of_whole(ledger_id, entry_id, messages_in(payload))
        return self._of_part(ledger_id, entry_id, messages_in(payload)) if left else 0

    def unacked_of(self, ledger_id: int, entry_id: int, messages: int) -> int:
        """`unacked` of an entry that is known to hold so many messages."""
        left = self._left_of(ledger_id, entry_id)
        if left is None:
            return self._of_whole(ledger_id, entry_id, messages)
        return self._of_part(ledger_id, entry_id, messages) if left else 0

    def _of_whole(self, ledger_id: int, entry_id: int, messages: int) -> int:
        if not messages:
            self._cursor.ack_individual(Position(ledger_id, entry_id))
        return messages

    def _of_part(self, ledger_id: int, entry_id: int, messages: int) -> int:
        """Of `ack_set`, which a client may have given bits for messages that do not exist.

        Scenario: a consumer acked one index with a set of a million bits, and the next one that was
        sent the entry was charged so many permits that it was never sent anything again.
        """
        left = bits_of_words(self.ack_set)
        if left.bit_length() > messages:
            self.ack_set = words_of_bits(left & ((1 << messages) - 1))
        # Nothing left is no ack that a client has meant: all of it is sent again.
        return bits_set(self.ack_set) or self._of_whole(ledger_id, entry_id, messages)

    def _left_of(self, ledger_id: int, entry_id: int) -> int | None:
        """0 if nothing is left of an entry, None if all is; else what is left is `ack_set`."""
        self.ack_set = ()
        position = Position(ledger_id, entry_id)
        if position > self.acked_until:
            return None
        cursor = self._cursor
        if cursor.is_acked(position):
            return 0
        ack_set = cursor.ack_set_of(position)
        if not ack_set:
            return None
        self.ack_set = ack_set
        return len(ack_set)

    def acked(self, position: Position) -> None:
        """An ack came; by way of another subscription's consumer it may be for an entry that this
        one was not sent yet."""
        self.acked_until = max(self.acked_until, position)
