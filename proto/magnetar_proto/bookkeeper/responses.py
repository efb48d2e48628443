"""What a bookie answers, the same for versions 2 and 3 of the protocol; see `requests`."""

from collections.abc import Sequence
from typing import NamedTuple

from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper.requests import VERSION_3


class AddResponse(NamedTuple):
    """How an add ended."""

    version: int
    txn_id: int
    status: Status
    ledger_id: int
    entry_id: int


class AddedRun(NamedTuple):
    """Adds of version 2 to one ledger that ended with OK, in the order of their answers."""

    ledger_id: int
    entry_ids: Sequence[int]


class ReadResponse(NamedTuple):
    """An entry, or what a long poll waited for.

    Attributes:
        entry_id: as asked for, so `LAST_ENTRY` stays; a piggybacked entry has its own.
        entry: the whole entry; None without one. An entry of no bytes does not exist.
        max_lac: version 3: highest LAC that the bookie knows of.
        lac_update_ms: version 3: when it learnt it, since the epoch.
    """

    version: int
    txn_id: int
    status: Status
    ledger_id: int
    entry_id: int
    entry: bytes | None = None
    max_lac: int | None = None
    lac_update_ms: int | None = None


class BatchReadResponse(NamedTuple):
    """Entries that follow on."""

    version: int
    status: Status
    ledger_id: int
    first_entry_id: int
    request_id: int
    entries: tuple[bytes, ...] = ()


class AuthResponse(NamedTuple):
    """A step of the handshake of an authentication plugin."""

    version: int
    txn_id: int
    status: Status
    plugin_name: str
    payload: bytes


class WriteLacResponse(NamedTuple):
    """How keeping the LAC ended."""

    txn_id: int
    status: Status
    ledger_id: int
    version: int = VERSION_3


class ReadLacResponse(NamedTuple):
    """What was kept.

    Attributes:
        lac_body: as the writer sent it; None if it never did.
        last_entry: the whole entry with the highest id; None if there is none.
    """

    txn_id: int
    status: Status
    ledger_id: int
    lac_body: bytes | None = None
    last_entry: bytes | None = None
    version: int = VERSION_3


class ForceLedgerResponse(NamedTuple):
    """How the sync ended."""

    txn_id: int
    status: Status
    ledger_id: int
    version: int = VERSION_3


class BookieInfoResponse(NamedTuple):
    """Sizes in bytes; None where not asked for."""

    txn_id: int
    status: Status
    total_disk_bytes: int | None = None
    free_disk_bytes: int | None = None
    version: int = VERSION_3


class ListEntriesResponse(NamedTuple):
    """Which entries there are.

    Attributes:
        availability: see `magnetar_proto.bookkeeper.availability`; None on an error.
    """

    txn_id: int
    status: Status
    ledger_id: int
    availability: bytes | None = None
    version: int = VERSION_3


class StartTlsResponse(NamedTuple):
    """On OK, TLS begins behind this frame."""

    txn_id: int
    status: Status
    version: int = VERSION_3


class ErrorResponse(NamedTuple):
    """An error alone: to a `RefusedRequest`, or where an operation is not served.

    Attributes:
        operation: of the version's own numbers.
    """

    version: int
    txn_id: int
    operation: int
    status: Status
    ledger_id: int = -1
    entry_id: int = -1


Response = (
    AddResponse
    | ReadResponse
    | BatchReadResponse
    | AuthResponse
    | WriteLacResponse
    | ReadLacResponse
    | ForceLedgerResponse
    | BookieInfoResponse
    | ListEntriesResponse
    | StartTlsResponse
    | ErrorResponse
)
