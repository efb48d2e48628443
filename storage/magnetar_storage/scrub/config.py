"""How hard and how often a bookie scrubs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrubConfig:
    """The rate and the times of scrubbing.

    Attributes:
        interval_ms: from the beginning of one pass over all records to that of the next; 0 means
            no passes, only what reads have met is looked at.
        first_delay_ms: from the start of the bookie to its first pass.
        rate_bytes_per_s: how much is read in a second at the most.
        retry_ms, max_retry_ms: what could not be repaired is tried again after so long, which
            doubles each time up to the second.
    """

    interval_ms: int = 604_800_000
    first_delay_ms: int = 60_000
    rate_bytes_per_s: int = 10_000_000
    retry_ms: int = 10_000
    max_retry_ms: int = 3_600_000
