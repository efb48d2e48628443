"""Bounds of the bookie service, units last. Defaults are BookKeeper's where it has the knob."""

from dataclasses import dataclass

from magnetar_proto.bookkeeper.stream import DEFAULT_MAX_FRAME_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLimits:
    """Bounds of one bookie service."""

    max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES
    """Largest request, its length included (`nettyMaxFrameSizeBytes`); a larger one costs the
    connection. Pulsar's own configuration has this value, BookKeeper's default is 5 MiB."""

    max_pending_adds_per_connection: int = 10_000
    """Adds without their receipts; above it the socket is not read until half are answered. Their
    bytes are bounded by the bookie's `writable`."""

    max_waiting_reads_per_connection: int = 1000
    """Reads that wait for their turn; above it the socket is not read until half of them began."""

    max_reads_in_work_per_connection: int = 32
    """Reads that are begun at one time, and as many of high priority. What they give is held in
    memory until the socket takes it."""

    max_read_bytes_per_connection: int = 4 << 20
    """What these may give together, as far as that can be foreseen; each kind by itself. See
    `read_window`."""

    max_outgoing_bytes_per_connection: int = 1 << 20
    """Above it the socket is not read and no read begins until the peer has taken what waits."""

    max_batch_read_bytes: int = 5 << 20
    """Largest answer to a batch read (`maxBatchReadSize`)."""

    max_long_polls: int = 10_000
    """Readers that wait for a last add confirmed; further ones are answered at once."""

    max_long_poll_ms: int = 600_000
    """Longest wait that a reader gets."""

    max_lacs: int = 100_000
    """Ledgers whose last add confirmed is remembered; it can be read again."""

    max_waiting_listings: int = 1000
    """Lists of entries that are asked for and not begun; further ones are refused."""

    max_listing_bytes: int = 4 << 20
    """Largest list of entries; a ledger with more holes than fit is not listed."""
