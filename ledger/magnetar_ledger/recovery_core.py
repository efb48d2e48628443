"""The decisions of recovery: where an unclosed ledger ends.

Pure: answers in, effects out. A shell has put the ledger IN_RECOVERY before, does the effects, and
writes CLOSED with what `Finish` says. The steps, each safe against a writer that still writes and
against other recoverers:

1. Read the last entry of every bookie of the last segment, with FENCE, until no ack quorum of any
   write set can have escaped the fence. The highest LAC seen is confirmed for certain.
2. Read forward from there, every read with FENCE, always on the bookies as they were at the start.
   Add again what is found, so that it has its ack quorum whatever the writer had reached.
3. Stop at the first entry that cannot have had an ack quorum, when all before it are added.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from magnetar_metadata.ledger_metadata import LedgerMetadata
from magnetar_proto.bookie import Status

from magnetar_ledger.digest import EntryDigest, entry_id_of, lac_of, length_of
from magnetar_ledger.errors import (
    DigestMismatchError,
    LedgerError,
    NotEnoughBookiesError,
    UnauthorizedLedgerError,
)
from magnetar_ledger.heard_lengths import HeardLengths
from magnetar_ledger.striping import Quorum

_NEGATIVE = (Status.NO_ENTRY, Status.NO_LEDGER)


@dataclass(frozen=True, slots=True)
class ReadLac:
    """Fence the bookie and read its last entry; then `lac_answered(index, ...)`."""

    index: int


@dataclass(frozen=True, slots=True)
class ReadEntries:
    """Read from the bookie with FENCE; then `entries_answered(index, ...)`."""

    index: int
    first_entry_id: int
    max_entries: int


@dataclass(frozen=True, slots=True)
class BeginAdds:
    """What follows is added behind this entry. Comes once, before the first `AddAgain`."""

    last_entry_id: int
    length: int


@dataclass(frozen=True, slots=True)
class AddAgain:
    """Add the entry to its write set; later `adds_confirmed`."""

    entry_id: int
    payload: bytes
    length: int  # of the ledger up to this entry, as its writer had noted


@dataclass(frozen=True, slots=True)
class Finish:
    """The ledger ends here. Unless `exact`, nobody heard from told the length: it is a guess."""

    last_entry_id: int
    length: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Fail:
    """It cannot be said where the ledger ends: to be tried again later."""

    error: LedgerError


Effect = ReadLac | ReadEntries | BeginAdds | AddAgain | Finish | Fail


class LacCore:
    """Finds the highest last add confirmed that the bookies of the last segment know of."""

    def __init__(self, ledger_id: int, metadata: LedgerMetadata, digest: EntryDigest) -> None:
        self._ledger_id = ledger_id
        self._quorum = Quorum.of(metadata)
        self._digest = digest
        self.unheard = set(range(metadata.ensemble_size))
        self._invalid = set(self.unheard)
        # An ensemble change begins its segment behind the LAC, so what lies before is confirmed,
        # even if no bookie of this segment has heard of it (BookKeeper issue 2615): looking below
        # would ask these bookies for entries of others.
        self.last_add_confirmed = metadata.segments[-1].first_entry_id - 1
        self.lengths = HeardLengths()

    def answered(self, index: int, status: Status, entries: Sequence[bytes]) -> LedgerError | None:
        """Take a bookie's answer; returns the error if this is the end."""
        self.unheard.discard(index)
        if status is Status.UNAUTHORIZED:
            return UnauthorizedLedgerError(f"ledger {self._ledger_id}: wrong password")
        if status in _NEGATIVE or (status is Status.OK and self._take(entries)):
            self._invalid.discard(index)
        if not self.unheard and not self.covered:
            return NotEnoughBookiesError(
                f"ledger {self._ledger_id}: {len(self._invalid)} bookies gave no valid answer"
            )
        return None

    def told(self, body: bytes) -> None:
        """Take an explicit LAC; one whose digest is wrong is none."""
        try:
            lac = self._digest.lac_of_body(body, self._ledger_id)
        except DigestMismatchError:
            return
        self.last_add_confirmed = max(self.last_add_confirmed, lac)

    @property
    def covered(self) -> bool:
        """Whether every ack quorum of every write set has a member that gave a valid answer."""
        quorum = self._quorum
        return all(
            len(self._invalid.intersection(quorum.write_set(start))) < quorum.ack_quorum
            for start in range(quorum.ensemble_size)
        )

    def _take(self, entries: Sequence[bytes]) -> bool:
        """An entry whose digest is wrong is no answer: its LAC may be anything."""
        if not entries:
            return False
        entry = entries[0]
        try:
            payload = self._digest.payload_of(entry, self._ledger_id, entry_id_of(entry))
        except DigestMismatchError:
            return False
        self.lengths.note(entry_id_of(entry), length_of(entry), len(payload))
        self.last_add_confirmed = max(self.last_add_confirmed, lac_of(entry))
        return True


class EntrySearch:
    """Looks for one entry on its write set, one replica after the other.

    Args:
        doubted: places that are asked last, as long as they are in it.
    """

    def __init__(self, quorum: Quorum, entry_id: int, doubted: Collection[int] = ()) -> None:
        self.entry_id = entry_id
        self._quorum = quorum
        self._doubted = doubted
        self._left = list(quorum.write_set(entry_id))
        self._negatives = 0
        self.index = self._choose()
        """Whom to ask now."""

    @property
    def absent(self) -> bool:
        """Whether so many are certain not to have it that it cannot have had an ack quorum."""
        return self._negatives >= self._quorum.coverage

    def negative(self) -> None:
        """The replica asked is certain not to have it, and fenced: it will never."""
        self._negatives += 1
        self._go_on()

    def unknown(self) -> None:
        """The replica asked did not say: it may have it."""
        self._go_on()

    def _go_on(self) -> None:
        self._left.remove(self.index)
        if self._left:
            self.index = self._choose()

    def _choose(self) -> int:
        return min(self._left, key=lambda index: index in self._doubted)

    @property
    def exhausted(self) -> bool:
        return not self._left


class RecoveryCore:
    """One recovery of one ledger, from the metadata as it was when the recovery began."""

    def __init__(
        self,
        ledger_id: int,
        metadata: LedgerMetadata,
        digest: EntryDigest,
        *,
        batch_entries: int,
        pending_entries: int,
    ) -> None:
        """Args:
        batch_entries: asked for at once where every bookie has all entries.
        pending_entries: added but not confirmed, above which reading waits.
        """
        self._ledger_id = ledger_id
        self._quorum = Quorum.of(metadata)
        self._digest = digest
        self._batch_entries = 1 if self._quorum.striped else batch_entries
        self._pending_entries = pending_entries
        self._lac = LacCore(ledger_id, metadata, digest)
        self._lac_known = False
        self.doubted: set[int] = set()
        """Places that did not answer when they were asked last, or not yet: to be asked last."""
        self._search: EntrySearch | None = None
        self._next = 0  # the entry to look for
        self._confirmed = 0  # the last entry that needs nothing more
        self._length = 0
        self._length_exact = True
        self._end_found = False
        self._over = False

    def start(self) -> list[Effect]:
        return [ReadLac(index) for index in range(self._quorum.ensemble_size)]

    def lac_answered(self, index: int, status: Status, entries: Sequence[bytes]) -> list[Effect]:
        self._heard(index, status)
        if self._over or self._lac_known:
            return []  # enough had answered; the fence it brought is welcome
        if error := self._lac.answered(index, status, entries):
            return self._fail(error)
        if not self._lac.covered:
            return []
        self._lac_known = True
        self.doubted |= self._lac.unheard
        self._confirmed = self._lac.last_add_confirmed
        self._next = self._confirmed + 1
        self._length, self._length_exact = self._lac.lengths.at(self._confirmed)
        return [BeginAdds(self._confirmed, self._length), *self._go_on()]

    def entries_answered(
        self, index: int, status: Status, entries: Sequence[bytes]
    ) -> list[Effect]:
        if self._over:
            return []
        search = self._search
        assert search is not None
        assert search.index == index
        self._heard(index, status)
        adds = self._take(entries) if status is Status.OK else []
        if adds:
            self._search = None
            return [*adds, *self._go_on()]
        if status in _NEGATIVE:
            search.negative()
        else:
            search.unknown()
        return self._search_on(search)

    def _heard(self, index: int, status: Status) -> None:
        # Scenario: a bookie hangs. Each search that began with it would wait for its time-out.
        if status is Status.OK or status in _NEGATIVE:
            self.doubted.discard(index)
        else:
            self.doubted.add(index)

    def adds_confirmed(self, last_entry_id: int) -> list[Effect]:
        """All entries added again up to this one have their ack quorum."""
        self._confirmed = last_entry_id
        return [] if self._over else self._go_on()

    def _search_on(self, search: EntrySearch) -> list[Effect]:
        if search.absent:
            self._search = None
            self._end_found = True
            return self._go_on()
        if search.exhausted:
            return self._fail(
                NotEnoughBookiesError(
                    f"ledger {self._ledger_id}: too few bookies know whether there is "
                    f"an entry {search.entry_id}"
                )
            )
        return [self._read(search)]

    def _go_on(self) -> list[Effect]:
        if self._search is not None:
            return []
        if self._end_found:
            return self._finish() if self._confirmed == self._next - 1 else []
        if self._next - 1 - self._confirmed >= self._pending_entries:
            return []
        self._search = EntrySearch(self._quorum, self._next, self.doubted)
        return [self._read(self._search)]

    def _read(self, search: EntrySearch) -> ReadEntries:
        return ReadEntries(search.index, search.entry_id, self._batch_entries)

    def _take(self, entries: Sequence[bytes]) -> list[AddAgain]:
        """The entries up to the first that is not as it was written."""
        adds: list[AddAgain] = []
        for entry in entries[: self._batch_entries]:
            try:
                payload = self._digest.payload_of(entry, self._ledger_id, self._next)
            except DigestMismatchError:
                break
            self._length, self._length_exact = length_of(entry), True
            adds.append(AddAgain(self._next, payload, self._length))
            self._next += 1
        return adds

    def _finish(self) -> list[Effect]:
        self._over = True
        return [Finish(self._next - 1, self._length, exact=self._length_exact)]

    def _fail(self, error: LedgerError) -> list[Effect]:
        self._over = True
        return [Fail(error)]
