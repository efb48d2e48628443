"""What each bookie should have of a ledger, from its metadata alone."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from magnetar_metadata.ledger_metadata import LedgerMetadata, Segment

from magnetar_ledger.errors import LedgerMetadataError
from magnetar_ledger.striping import Quorum


@dataclass(frozen=True, slots=True)
class Fragment:
    """One bookie's share of a segment whose end is known. It has at least one entry."""

    segment_first: int  # by which the segment is found again
    place: int  # in the ensemble
    bookie_id: str
    first_entry_id: int
    last_entry_id: int
    quorum: Quorum

    def entry_ids(self) -> Iterator[int]:
        """What the bookie should have, ascending."""
        return (e for e in range(self.first_entry_id, self.last_entry_id + 1) if self.has(e))

    def has(self, entry_id: int) -> bool:
        """Whether the entry's write set has the bookie."""
        quorum = self.quorum
        return (self.place - entry_id) % quorum.ensemble_size < quorum.write_quorum

    def sample(self, percent: int) -> Iterator[int]:
        """The first entry and the last, and so many percent of all, evenly spread; ascending."""
        step = max(1, 100 // percent) if percent > 0 else self.last_entry_id + 1
        last = self._last()
        told = -1
        for wanted in range(self.first_entry_id, self.last_entry_id + 1, step):
            entry_id = next(filter(self.has, range(max(wanted, told + 1), last + 1)), None)
            if entry_id is not None:
                told = entry_id
                yield entry_id
        if told != last:
            yield last

    def _last(self) -> int:
        return next(
            e for e in range(self.last_entry_id, self.first_entry_id - 1, -1) if self.has(e)
        )


def known_fragments(metadata: LedgerMetadata) -> list[Fragment]:
    """The shares of all segments but an open last one, in their order."""
    quorum, found = Quorum.of(metadata), []
    for segment, last in _ends(metadata):
        for place, bookie_id in enumerate(segment.bookies):
            fragment = Fragment(
                segment.first_entry_id, place, bookie_id, segment.first_entry_id, last, quorum
            )
            entries = range(segment.first_entry_id, last + 1)
            if any(map(fragment.has, entries[: quorum.ensemble_size])):
                found.append(fragment)
    return found


def open_segment(metadata: LedgerMetadata) -> Segment | None:
    """The segment that a writer or a recovery may still add to."""
    return None if metadata.closed else metadata.segments[-1]


def bookies_needed(metadata: LedgerMetadata) -> set[str]:
    """The bookies whose loss is a loss for this ledger.

    Those of an open last segment among them, even if it has no entry: nobody can say so, and when
    more of them go nobody can say where the ledger ends.
    """
    found = {fragment.bookie_id for fragment in known_fragments(metadata)}
    last = open_segment(metadata)
    return found if last is None else found.union(last.bookies)


def ensemble_of(metadata: LedgerMetadata, fragment: Fragment) -> tuple[str, ...]:
    """The bookies of the fragment's segment.

    Raises:
        LedgerMetadataError: the fragment's bookie has another place, or none, by now.
    """
    for segment in metadata.segments:
        if segment.first_entry_id == fragment.segment_first:
            if segment.bookies[fragment.place] == fragment.bookie_id:
                return segment.bookies
            break
    raise LedgerMetadataError(
        f"the segment from entry {fragment.segment_first} was changed by somebody else"
    )


def with_bookie(
    metadata: LedgerMetadata, fragment: Fragment, bookie_id: str
) -> LedgerMetadata | None:
    """Metadata with another bookie in the fragment's place.

    None if there is no such fragment any more: somebody else has put another bookie there, or has
    put this one into the ensemble.
    """
    for index, segment in enumerate(metadata.segments):
        if segment.first_entry_id != fragment.segment_first:
            continue
        bookies = list(segment.bookies)
        if bookies[fragment.place] != fragment.bookie_id or bookie_id in bookies:
            return None
        if open_segment(metadata) is segment:
            return None  # only its writer or a recovery may change it
        bookies[fragment.place] = bookie_id
        changed = replace(segment, bookies=tuple(bookies))
        segments = (*metadata.segments[:index], changed, *metadata.segments[index + 1 :])
        return replace(metadata, segments=segments)
    return None


def _ends(metadata: LedgerMetadata) -> Iterator[tuple[Segment, int]]:
    """Segments with the last entry of each, as far as it is known for good."""
    segments = metadata.segments
    for segment, following in pairwise(segments):
        yield segment, following.first_entry_id - 1
    if metadata.closed:
        yield segments[-1], metadata.last_entry_id
