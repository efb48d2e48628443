"""What was acknowledged: of batches bit by bit, and what the broker is yet to be told.

Synchronous and without IO; `take` gives the commands.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.ack_sets import bits_of_words, words_of_bits

from magnetar.message_id import UINT64_END

Place = tuple[int, int]
"""Ledger and entry."""

MAX_UNKNOWN: Final = 1000
"""Batches that are not here but are acknowledged; the oldest gives way."""


class AckState:
    """Acknowledgements of one consumer.

    Args:
        batch_index_acks: the broker is told of single messages of a batch; otherwise only of
            batches that are done.

    Attributes:
        count: of what the broker is yet to be told.
    """

    def __init__(self, consumer_id: int, *, batch_index_acks: bool) -> None:
        self._consumer_id = consumer_id
        self._batch_index_acks = batch_index_acks
        # A set bit is a message that is not yet acknowledged.
        self._open_batches: OrderedDict[Place, int] = OrderedDict()
        # The same of batches that came to another consumer, or to this one before its connection
        # ended. Of those that were done long ago nothing tells them apart.
        self._unknown: OrderedDict[Place, int] = OrderedDict()
        self._individual: dict[Place, int] = {}
        self._cumulative: tuple[Place, int] | None = None
        self._chunks: OrderedDict[Place, list[Place]] = OrderedDict()

    @property
    def count(self) -> int:
        return len(self._individual) + (self._cumulative is not None)

    def batch_received(self, place: Place, size: int, ack_set: Sequence[int]) -> int:
        """A batch arrived; gives the mask of its messages that are not acknowledged yet."""
        mask = bits_of_words(ack_set) & (1 << size) - 1 if ack_set else (1 << size) - 1
        self._open_batches[place] = mask
        self._unknown.pop(place, None)
        return mask

    def chunks_received(self, places: list[Place]) -> None:
        """A message arrived in chunks; it goes by the place of its last one."""
        self._chunks[places[-1]] = places

    def entry_of(self, place: Place) -> list[Place]:
        """All places of a message that may have been sent in chunks."""
        return self._chunks.get(place) or [place]

    def acknowledge(self, place: Place, batch_index: int, batch_size: int) -> bool:
        """One message is done; True if its whole entry is now."""
        if batch_index >= 0 and batch_size > 1:
            # What waits to be told holds: once more, or with a batch that was forgotten meanwhile.
            waiting = self._individual.get(place, -1)
            rows = self._open_batches if place in self._open_batches else self._unknown
            mask = rows.get(place, (1 << batch_size) - 1) & ~(1 << batch_index) & waiting
            if mask:
                rows[place] = mask
                if self._batch_index_acks:
                    self._individual[place] = mask
                if len(self._unknown) > MAX_UNKNOWN:
                    self._unknown.popitem(last=False)
                return False
        self._open_batches.pop(place, None)
        self._unknown.pop(place, None)
        for each in self._chunks.pop(place, None) or (place,):
            self._individual[each] = 0
        return True

    def acknowledge_up_to(self, place: Place, batch_index: int, batch_size: int) -> None:
        """All messages up to one are done, itself included."""
        mask = 0
        if 0 <= batch_index < batch_size - 1:
            all_of_it = (1 << batch_size) - 1
            mask = all_of_it & ~((1 << batch_index + 1) - 1)
            self._open_batches[place] = self._open_batches.get(place, all_of_it) & mask
            if not self._batch_index_acks:
                ledger_id, entry_id = place
                if entry_id == 0:
                    return  # what is before is in another ledger, and goes with the next
                place, mask = (ledger_id, entry_id - 1), 0
        new = (place, mask)
        if self._cumulative is None or _order(new) > _order(self._cumulative):
            self._cumulative = new
        _drop_until(self._open_batches, place)
        if mask:
            self._open_batches[place] = mask
        _drop_until(self._chunks, place)

    def take(self) -> list[api.CommandAck]:
        """What the broker is to be told."""
        commands = []
        if self._cumulative is not None:
            place, mask = self._cumulative
            self._cumulative = None
            command = api.CommandAck(
                consumer_id=self._consumer_id, ack_type=api.CommandAck.Cumulative
            )
            _add(command, place, mask)
            commands.append(command)
        if self._individual:
            individual, self._individual = self._individual, {}
            command = api.CommandAck(
                consumer_id=self._consumer_id, ack_type=api.CommandAck.Individual
            )
            for place, mask in individual.items():
                _add(command, place, mask)
            commands.append(command)
        return commands

    def forget_batches(self) -> None:
        """The broker will send again what is not acknowledged."""
        self._open_batches.clear()
        self._unknown.clear()
        self._chunks.clear()

    def forget(self) -> None:
        """Nothing holds any more: the subscription begins elsewhere."""
        self.forget_batches()
        self._individual.clear()
        self._cumulative = None


def _drop_until(rows: OrderedDict[Place, Any], place: Place) -> None:
    """Drop what came up to a place: consumers that may do this get entries in order."""
    while rows and next(iter(rows)) <= place:
        rows.popitem(last=False)


def _order(row: tuple[Place, int]) -> tuple[Place, int]:
    """Later is more; of one entry, the fewer messages are left."""
    place, mask = row
    return place, -mask


def _add(command: api.CommandAck, place: Place, mask: int) -> None:
    data = command.message_id.add(ledgerId=place[0] % UINT64_END, entryId=place[1] % UINT64_END)
    if mask:
        data.ack_set.extend(words_of_bits(mask))
