"""Which replicas have acknowledged which pending entries.

The window begins behind the last confirmed entry. Two forms with the same calls: one for ledgers
on a single bookie, where a batch of acks costs the same whatever its size, and the general one.
"""

from collections.abc import Sequence

from magnetar_ledger.striping import Quorum


class SingleAckWindow:
    """Acks of an ensemble of one."""

    __slots__ = ("_early", "_through")

    def __init__(self, last_entry_id: int) -> None:
        self._through = last_entry_id
        self._early: set[int] = set()

    def acked(self, index: int, entry_ids: Sequence[int]) -> None:
        """Note acks. A replica acknowledges an entry once; ids come in ascending order."""
        last = entry_ids[-1]
        # Ascending ids without room between first and last are all the ids between.
        if entry_ids[0] == self._through + 1 and last - self._through == len(entry_ids):
            self._through = last
        else:
            self._early.update(entry_ids)
        if self._early:
            self._join_early()

    def done_through(self) -> int:
        """The highest entry that has an ack quorum together with all before it."""
        return self._through

    def confirmed(self, count: int) -> None:
        """The window now begins `count` entries later."""

    def forget(self, index: int, last_confirmed: int) -> None:
        """The replica was replaced: its acks of pending entries count no more."""
        self._through = last_confirmed
        self._early.clear()

    def lagging(self, through: int) -> set[int]:
        """Replicas that owe an ack for an entry up to this one."""
        return {0} if self._through < through else set()

    def _join_early(self) -> None:
        while self._through + 1 in self._early:
            self._through += 1
            self._early.remove(self._through)


class QuorumAckWindow:
    """Acks of any ensemble: one bit per replica and pending entry."""

    __slots__ = ("_first", "_masks", "_quorum")

    def __init__(self, quorum: Quorum, last_entry_id: int) -> None:
        self._quorum = quorum
        self._first = last_entry_id + 1
        self._masks: list[int] = []  # of the entries from `_first`, as far as acks came

    def acked(self, index: int, entry_ids: Sequence[int]) -> None:
        masks, first, bit = self._masks, self._first, 1 << index
        room = entry_ids[-1] - first + 1 - len(masks)
        if room > 0:
            masks += [0] * room
        for entry_id in entry_ids:
            if entry_id >= first:  # else a late ack: the entry had its quorum without it
                masks[entry_id - first] |= bit

    def done_through(self) -> int:
        needed, done = self._quorum.ack_quorum, self._first - 1
        for mask in self._masks:
            if mask.bit_count() < needed:
                break
            done += 1
        return done

    def confirmed(self, count: int) -> None:
        del self._masks[:count]
        self._first += count

    def forget(self, index: int, last_confirmed: int) -> None:
        assert last_confirmed == self._first - 1
        keep = ~(1 << index)
        self._masks = [mask & keep for mask in self._masks]

    def lagging(self, through: int) -> set[int]:
        owing: set[int] = set()
        for entry_id in range(self._first, through + 1):
            place = entry_id - self._first
            mask = self._masks[place] if place < len(self._masks) else 0
            owing.update(i for i in self._quorum.write_set(entry_id) if not mask >> i & 1)
        return owing


AckWindow = SingleAckWindow | QuorumAckWindow


def ack_window(quorum: Quorum, last_entry_id: int) -> AckWindow:
    """The window for a ledger whose entries up to `last_entry_id` are confirmed."""
    if quorum.ensemble_size == 1:
        return SingleAckWindow(last_entry_id)
    return QuorumAckWindow(quorum, last_entry_id)
