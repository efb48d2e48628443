"""Which replicas have acknowledged which pending entries.

The window begins behind the last confirmed entry. Three forms with the same calls: for ledgers on a
single bookie and for those whose bookies all get each entry, where a batch of acks costs the same
whatever its size, and the general one.
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


class FullAckWindow:
    """Acks of an ensemble whose bookies all get each entry: up to where each of them has all.

    What is confirmed is as good as acknowledged by all.
    """

    __slots__ = ("_confirmed", "_early", "_needed", "_through")

    def __init__(self, quorum: Quorum, last_entry_id: int) -> None:
        assert quorum.write_quorum == quorum.ensemble_size
        self._needed = quorum.ack_quorum
        self._confirmed = last_entry_id
        self._through = [last_entry_id] * quorum.ensemble_size
        self._early: list[set[int]] = [set() for _ in self._through]

    def acked(self, index: int, entry_ids: Sequence[int]) -> None:
        through, early = self._through[index], self._early[index]
        first, last = entry_ids[0], entry_ids[-1]
        if first <= through + 1 and last - first == len(entry_ids) - 1:
            if last > through:
                self._through[index] = last
        else:
            early.update(entry_id for entry_id in entry_ids if entry_id > through)
        if early:
            self._join_early(index)

    def done_through(self) -> int:
        done = sorted(self._through)[-self._needed]
        if any(self._early):
            while self._acks(done + 1) >= self._needed:
                done += 1
        return done

    def confirmed(self, count: int) -> None:
        self._confirmed += count
        for index, through in enumerate(self._through):
            if through < self._confirmed:
                self._through[index] = self._confirmed
                if self._early[index]:
                    self._join_early(index)

    def forget(self, index: int, last_confirmed: int) -> None:
        assert last_confirmed == self._confirmed
        self._through[index] = last_confirmed
        self._early[index].clear()

    def lagging(self, through: int) -> set[int]:
        return {index for index, its in enumerate(self._through) if its < through}

    def _acks(self, entry_id: int) -> int:
        return sum(
            entry_id <= through or entry_id in early
            for through, early in zip(self._through, self._early, strict=True)
        )

    def _join_early(self, index: int) -> None:
        through, early = self._through[index], self._early[index]
        if min(early) <= through:
            early.difference_update([entry_id for entry_id in early if entry_id <= through])
        while through + 1 in early:
            through += 1
            early.remove(through)
        self._through[index] = through


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


AckWindow = SingleAckWindow | FullAckWindow | QuorumAckWindow


def ack_window(quorum: Quorum, last_entry_id: int) -> AckWindow:
    """The window for a ledger whose entries up to `last_entry_id` are confirmed."""
    if quorum.ensemble_size == 1:
        return SingleAckWindow(last_entry_id)
    if quorum.write_quorum == quorum.ensemble_size:
        return FullAckWindow(quorum, last_entry_id)
    return QuorumAckWindow(quorum, last_entry_id)
