"""The writer's decisions: which entries are confirmed, and when the ensemble must change.

Pure: a shell sends the entries and brings the answers. The rules are BookKeeper's:

- An entry is done with an ack quorum from the bookies that stand in its write set now; an answer
  of a bookie that was replaced counts for nothing.
- Entries are confirmed strictly in order, and none while a new segment is on its way to metadata.
- A new segment begins behind the last confirmed entry. Pending entries belong to it: they keep the
  acks of the bookies that stayed and are sent again to those that came.
- A place that failed may stay as it is while every write set has an ack quorum without it: there
  may be no other bookie, or no metadata store now (docs/adr/0005).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from magnetar_metadata.ledger_metadata import Segment
from magnetar_proto.bookie import Status

from magnetar_ledger.ack_window import AckWindow, ack_window
from magnetar_ledger.digest import EntryDigest
from magnetar_ledger.errors import LedgerError, LedgerFencedError, UnauthorizedLedgerError
from magnetar_ledger.striping import Quorum

_FATAL: Final[dict[Status, type[LedgerError]]] = {
    Status.FENCED: LedgerFencedError,
    Status.UNAUTHORIZED: UnauthorizedLedgerError,
}


class QuorumCore:
    """The pending entries of one writer. The shell reads the fields and changes none."""

    __slots__ = (
        "_acks",
        "_avoided",
        "_known_lac",
        "_make_headers",
        "confirmed_length",
        "ensemble",
        "failed",
        "frozen",
        "headers",
        "last_add_confirmed",
        "last_pushed",
        "ledger_id",
        "length",
        "payloads",
        "quorum",
    )

    def __init__(
        self,
        ledger_id: int,
        quorum: Quorum,
        ensemble: Sequence[str],
        digest: EntryDigest,
        *,
        last_entry_id: int = -1,
        length: int = 0,
    ) -> None:
        assert len(ensemble) == quorum.ensemble_size
        self.ledger_id = ledger_id
        self._known_lac = last_entry_id
        self.quorum = quorum
        self.ensemble = list(ensemble)
        self.last_add_confirmed = last_entry_id
        self.last_pushed = last_entry_id
        self.length = length  # payload bytes up to the last pushed entry
        self.confirmed_length = length
        # Of the pending entries, from last_add_confirmed + 1 on.
        self.headers: list[bytes] = []
        self.payloads: list[bytes] = []
        self.failed: set[int] = set()  # places of the ensemble to replace
        self.frozen = False  # nothing is confirmed: a segment is being written, or all is over
        self._avoided: set[str] = set()  # bookies that failed not long ago
        self._acks: AckWindow = ack_window(quorum, last_entry_id)
        self._make_headers = digest.headers

    def push(self, payloads: Sequence[bytes]) -> list[bytes]:
        """Take the next entries, up to `last_pushed` afterwards; returns their headers to send."""
        headers = self._make_headers(
            self.ledger_id, self.last_pushed + 1, self.last_add_confirmed, self.length, payloads
        )
        self.length += sum(map(len, payloads))
        self.last_pushed += len(payloads)
        self.headers += headers
        self.payloads += payloads
        return headers

    def push_recovered(self, payload: bytes, length: int) -> bytes:
        """As `push`, with the ledger length that the entry's writer had noted.

        The entry says of the last confirmed one only what was known when recovery began. What
        recovery has confirmed since may be on bookies of its own ensemble, which is not in
        metadata: if it fails, the next one must find these entries beyond the LAC and add them
        again.
        """
        headers = self._make_headers(
            self.ledger_id, self.last_pushed + 1, self._known_lac, length - len(payload), (payload,)
        )
        self.length = length
        self.last_pushed += 1
        self.headers += headers
        self.payloads.append(payload)
        return headers[0]

    def acked(self, index: int, entry_ids: Sequence[int]) -> int:
        """Note a replica's acks; returns how many entries that confirms."""
        self._acks.acked(index, entry_ids)
        return 0 if self.frozen else self._confirm()

    def replica_failed(self, index: int, status: Status) -> LedgerError | None:
        """Note that a replica did not take an entry; it is sent nothing until it is replaced.

        Returns the error if that is the end of this writer.
        """
        if fatal := _FATAL.get(status):
            return fatal(f"ledger {self.ledger_id}: {self.ensemble[index]} answered {status.name}")
        self.failed.add(index)
        self._avoided.add(self.ensemble[index])
        return None

    @property
    def reachable(self) -> bool:
        """Whether every write set has an ack quorum without the failed places."""
        return self._reachable_without(self.failed)

    def can_lose(self, index: int) -> bool:
        """Whether it has one also without this place."""
        return self._reachable_without({*self.failed, index})

    def _reachable_without(self, failed: set[int]) -> bool:
        quorum = self.quorum
        return all(
            len(failed.intersection(quorum.write_set(e))) <= quorum.write_quorum - quorum.ack_quorum
            for e in range(quorum.ensemble_size)
        )

    def avoided_bookies(self) -> frozenset[str]:
        """Who may not come into the ensemble now: its members and those that failed just before.

        Without the latter two broken bookies would take turns for ever.
        """
        return frozenset(self._avoided.union(self.ensemble))

    def forgive(self) -> None:
        """Nothing failed for a while: bookies that did before may come back."""
        self._avoided.clear()

    def freeze(self, replacements: Mapping[int, str]) -> Segment:
        """Stop confirming, and return the segment that these replacements of failed places make.

        Until `thaw`: an entry confirmed while the segment is on its way to metadata would lie
        behind the segment's first entry without having been written to it (BookKeeper issue 4651).
        What the replaced bookies have acknowledged beyond the last confirmed entry counts no more,
        whether the change succeeds, fails or stays unknown: the entries confirmed afterwards have
        their ack quorum on bookies that are in the old segment and in the new one.
        """
        assert self.failed.issuperset(replacements)
        assert replacements
        self.frozen = True
        for index in replacements:
            self._acks.forget(index, self.last_add_confirmed)
        bookies = tuple(replacements.get(i, bookie) for i, bookie in enumerate(self.ensemble))
        assert len(set(bookies)) == len(bookies)
        return Segment(self.last_add_confirmed + 1, bookies)

    def ensemble_changed(self, segment: Segment, replaced: Collection[int]) -> None:
        """The segment is in force; the new bookies at the replaced places need `entries_for`."""
        assert self.frozen
        assert segment.first_entry_id == self.last_add_confirmed + 1
        self.ensemble = list(segment.bookies)
        self.failed.difference_update(replaced)

    def entries_for(self, index: int) -> list[int]:
        """The pending entries whose write set has this place, ascending."""
        pending = range(self.last_add_confirmed + 1, self.last_pushed + 1)
        return [e for e in pending if index in self.quorum.write_set(e)]

    def entries(self, entry_ids: Sequence[int]) -> tuple[list[bytes], list[bytes]]:
        """Headers and payloads of pending entries."""
        places = [entry_id - self.last_add_confirmed - 1 for entry_id in entry_ids]
        return [self.headers[place] for place in places], [self.payloads[place] for place in places]

    def thaw(self) -> int:
        """The change is over or given up: returns how many entries were only waiting for that."""
        self.frozen = False
        return self._confirm()

    def lagging(self, through: int) -> set[int]:
        """Places that owe an ack for a pending entry up to this one and have not failed."""
        return self._acks.lagging(min(through, self.last_pushed)) - self.failed

    def stop(self) -> int:
        """Drop what is pending, and confirm nothing ever after; returns how many there were."""
        self.frozen = True
        pending = len(self.payloads)
        self.headers.clear()
        self.payloads.clear()
        self.length = self.confirmed_length
        return pending

    def _confirm(self) -> int:
        count = self._acks.done_through() - self.last_add_confirmed
        if count:
            self._acks.confirmed(count)
            self.last_add_confirmed += count
            payloads = self.payloads
            self.confirmed_length += sum(map(len, payloads[:count]))
            del payloads[:count]
            del self.headers[:count]
        return count
