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
    """Acks of any ensemble: one bit per replica and pending entry.

    An ack is taken back by `forget` alone. So what was found done or not owed is not looked at
    again: many entries may stay pending, for a force that is slow.
    """

    __slots__ = ("_done", "_first", "_masks", "_owed", "_quorum")

    def __init__(self, quorum: Quorum, last_entry_id: int) -> None:
        self._quorum = quorum
        self._first = last_entry_id + 1
        self._masks: list[int] = []  # of the entries from `_first`, as far as acks came
        self._done = 0  # how many of the first ones are known to have an ack quorum
        self._owed = [self._first] * quorum.ensemble_size  # nobody owes an ack before

    def acked(self, index: int, entry_ids: Sequence[int]) -> None:
        masks, first, bit = self._masks, self._first, 1 << index
        room = entry_ids[-1] - first + 1 - len(masks)
        if room > 0:
            masks += [0] * room
        for entry_id in entry_ids:
            if entry_id >= first:  # else a late ack: the entry had its quorum without it
                masks[entry_id - first] |= bit

    def done_through(self) -> int:
        masks, needed, done = self._masks, self._quorum.ack_quorum, self._done
        while done < len(masks) and masks[done].bit_count() >= needed:
            done += 1
        self._done = done
        return self._first + done - 1

    def confirmed(self, count: int) -> None:
        del self._masks[:count]
        self._first += count
        self._done -= count

    def forget(self, index: int, last_confirmed: int) -> None:
        assert last_confirmed == self._first - 1
        keep = ~(1 << index)
        self._masks = [mask & keep for mask in self._masks]
        self._done = 0
        self._owed[index] = self._first

    def lagging(self, through: int) -> set[int]:
        return {i for i in range(len(self._owed)) if self._first_owed(i) <= through}

    def _first_owed(self, index: int) -> int:
        """The first entry for which a replica owes an ack; it may not be pushed yet."""
        quorum, masks, first = self._quorum, self._masks, self._first
        entry_id = max(self._owed[index], first)
        acked = first + len(masks)
        while (index - entry_id) % quorum.ensemble_size >= quorum.write_quorum or (
            entry_id < acked and masks[entry_id - first] >> index & 1
        ):
            entry_id += 1
        self._owed[index] = entry_id
        return entry_id


class ForcedAckWindow:
    """An ack window in which nothing is done that was not forced."""

    def __init__(self, window: "AckWindow", last_entry_id: int) -> None:
        self._window = window
        self.forced_through = last_entry_id

    def acked(self, index: int, entry_ids: Sequence[int]) -> None:
        self._window.acked(index, entry_ids)

    def written_through(self) -> int:
        """The highest entry that has an ack quorum together with all before it."""
        return self._window.done_through()

    def done_through(self) -> int:
        return min(self.forced_through, self._window.done_through())

    def confirmed(self, count: int) -> None:
        self._window.confirmed(count)

    def forget(self, index: int, last_confirmed: int) -> None:
        assert self.forced_through == last_confirmed
        self._window.forget(index, last_confirmed)

    def lagging(self, through: int) -> set[int]:
        return self._window.lagging(through)


AckWindow = SingleAckWindow | FullAckWindow | QuorumAckWindow | ForcedAckWindow


def ack_window(quorum: Quorum, last_entry_id: int) -> AckWindow:
    """The window for a ledger whose entries up to `last_entry_id` are confirmed."""
    if quorum.ensemble_size == 1:
        return SingleAckWindow(last_entry_id)
    if quorum.write_quorum == quorum.ensemble_size:
        return FullAckWindow(quorum, last_entry_id)
    return QuorumAckWindow(quorum, last_entry_id)
