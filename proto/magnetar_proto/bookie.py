"""The bookie interface: what a ledger asks of a store of entries.

The in-process bookie (`magnetar_storage`), the network client and the simulated bookie implement
`Bookie`; one contract suite (`tests/proto/bookie_contract.py`) runs on all of them. The rules:

- A call never blocks and never completes inside the call.
- Every call completes exactly once, on the loop that made it, through the sink given with it.
  Completions of one turn come in batches.
- A call may end unknown (`Status.TIMEOUT`, `Status.UNAVAILABLE`, `Status.IO_ERROR`): the entry may
  or may not be stored. Only `NO_LEDGER` and `NO_ENTRY` are promises that it is not.
- An add is OK only when the entry is durable, unless it has the flag `DEFERRED_SYNC`; a fence only
  when the fence is.
- Back-pressure is `writable`: false while too many bytes wait. Adds made in spite of it are taken,
  up to a hard limit, above which they complete with `TOO_MANY_REQUESTS`.

Status codes and flags are those of BookKeeper's protocol v2; negative codes never cross a wire.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Final, Protocol, runtime_checkable

LAST_ENTRY: Final = -1
"""As an entry id in a read: the entry with the highest id that this bookie has."""

ENTRY_HEADER_BYTES: Final = 32
"""Ledger id, entry id, last add confirmed, length: what every entry starts with."""


class Status(IntEnum):
    """How a call on a bookie ended."""

    OK = 0
    NO_LEDGER = 1
    NO_ENTRY = 2
    BAD_REQUEST = 100
    IO_ERROR = 101
    UNAUTHORIZED = 102
    BAD_VERSION = 103
    FENCED = 104
    READ_ONLY = 105
    TOO_MANY_REQUESTS = 106
    UNKNOWN_LEDGER_STATE = 107
    UNAVAILABLE = -8
    TIMEOUT = -23


FENCE: Final = 1
"""Read flag: fence the ledger durably first; needs the master key."""
RECOVERY_ADD: Final = 2
"""Add flag: allowed on a fenced ledger."""
HIGH_PRIORITY: Final = 4
"""Add and read flag: served before ordinary calls, allowed while read-only."""
DEFERRED_SYNC: Final = 0x100
"""Add flag, only for a `SyncDeferrer`: OK before the entry is durable; `force` makes it so."""


class AddSink(Protocol):
    """Takes the ends of the adds of one ledger on one bookie."""

    def adds_completed(self, entry_ids: Sequence[int], status: Status) -> None:
        """The adds of these entries ended with this status.

        Ids stand in the order in which the adds were made.
        """


class ReadSink(Protocol):
    """Takes the ends of reads."""

    def read_completed(
        self, context: int, status: Status, first_entry_id: int, entries: Sequence[bytes]
    ) -> None:
        """A read ended: on OK, whole entries (header, digest, payload) with ids that follow on.

        `first_entry_id` is the id of the first one, also when `LAST_ENTRY` was asked for.
        """


class Bookie(Protocol):
    """A store of entries, local or behind a network. See the module for the rules."""

    def add(
        self,
        ledger_id: int,
        entry_ids: Sequence[int],
        master_key: bytes,
        headers: Sequence[bytes],
        payloads: Sequence[bytes],
        flags: int,
        sink: AddSink,
    ) -> None:
        """Store entries of one ledger: as many as there are at once, so that the cost of a call
        is shared.

        Args:
            entry_ids: all different, at least one; a `range` if they follow on.
            master_key: 20 bytes; kept at the ledger's first add or fence, compared afterwards.
            headers: of each entry the 32 header bytes, which start with ledger id and entry id,
                and the digest.
            payloads: kept as the same objects, never copied.
            flags: `RECOVERY_ADD`, `HIGH_PRIORITY`, `DEFERRED_SYNC`.
            sink: where the ends are told, one sink for one ledger.
        """

    def read(
        self,
        ledger_id: int,
        first_entry_id: int,
        max_entries: int,
        max_bytes: int,
        flags: int,
        master_key: bytes,
        sink: ReadSink,
        context: int,
    ) -> None:
        """Read entries with ids that follow on, beginning at `first_entry_id`.

        At least one entry comes if the first exists, also when it is larger than `max_bytes`; the
        rest stops at the first missing one. The status is an error only if the first one fails.

        Args:
            first_entry_id: or `LAST_ENTRY`, which gives at most one.
            flags: `FENCE` (with `master_key`), `HIGH_PRIORITY`.
            master_key: only looked at with `FENCE`; else b"".
        """

    @property
    def writable(self) -> bool:
        """False while more bytes wait than the bookie wants."""

    def when_writable(self, callback: Callable[[], None]) -> None:
        """Call back once, on the loop, when `writable` has become true again.

        Never inside the call; soon if it is true already.
        """


LacDone = Callable[[Status, bytes | None], None]
"""Takes how a call ended and what was kept: ledger id, LAC and digest over both."""


@runtime_checkable
class LacKeeper(Protocol):
    """A bookie that may keep explicit LACs; calls end as those of `Bookie`."""

    @property
    def keeps_lac(self) -> bool:
        """Whether the calls can be made at all."""

    def write_lac(
        self, ledger_id: int, lac: int, master_key: bytes, body: bytes, done: LacDone
    ) -> None:
        """Keep a writer's last add confirmed, durably, unless a higher one is kept.

        Args:
            master_key: as in an add.
            body: ledger id, LAC and digest over both; given back as it is.
            done: told `body` again on OK.
        """

    def read_lac(self, ledger_id: int, done: LacDone) -> None:
        """What `write_lac` left; NO_LEDGER or NO_ENTRY if there is nothing."""


ForceDone = Callable[[Status], None]
"""Takes how a force ended."""


@runtime_checkable
class SyncDeferrer(Protocol):
    """A bookie that may answer adds before they are durable; calls end as those of `Bookie`."""

    @property
    def defers_sync(self) -> bool:
        """Whether it can be asked for that at all."""

    @property
    def losses(self) -> int:
        """Counts up whenever what was answered before, and not forced, may have been lost."""

    def force(self, ledger_id: int, done: ForceDone) -> None:
        """Make all adds of a ledger durable that were answered before; OK also of an unknown one.

        OK is no promise for adds that were answered when `losses` was another number.
        """
