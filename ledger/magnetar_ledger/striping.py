"""Which bookies have which entry: quorums, write sets and segments."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from magnetar_metadata.ledger_metadata import LedgerMetadata, Segment


@dataclass(frozen=True, slots=True)
class Quorum:
    """Ensemble size, write quorum and ack quorum of a ledger."""

    ensemble_size: int
    write_quorum: int
    ack_quorum: int

    def __post_init__(self) -> None:
        assert self.ensemble_size >= self.write_quorum >= self.ack_quorum >= 1

    @staticmethod
    def of(metadata: LedgerMetadata) -> "Quorum":
        return Quorum(metadata.ensemble_size, metadata.write_quorum, metadata.ack_quorum)

    @property
    def striped(self) -> bool:
        """Whether a bookie of the ensemble lacks some of the entries."""
        return self.ensemble_size > self.write_quorum

    @property
    def coverage(self) -> int:
        """How many bookies of a write set meet every ack quorum of it."""
        return self.write_quorum - self.ack_quorum + 1

    def write_set(self, entry_id: int) -> tuple[int, ...]:
        """The places in the ensemble of the bookies that get an entry, first reader first."""
        return tuple((entry_id + i) % self.ensemble_size for i in range(self.write_quorum))


def segment_index(segments: Sequence[Segment], entry_id: int) -> int:
    """The place of the segment that an entry is in."""
    return bisect_right(segments, entry_id, key=lambda segment: segment.first_entry_id) - 1


def with_segment(segments: Sequence[Segment], segment: Segment) -> tuple[Segment, ...]:
    """Segments with a new last one, which replaces a last one that got no entry."""
    kept = segments[:-1] if segments[-1].first_entry_id == segment.first_entry_id else segments
    assert not kept or kept[-1].first_entry_id < segment.first_entry_id
    return (*kept, segment)
