"""What is asked of a bookie, the same for versions 2 and 3 of the protocol.

`version` is the first byte of the packet: 0 to 2 for the binary ones, `VERSION_3` for protobuf. A
response carries that of its request. `txn_id` is 0 before version 3, where responses are matched
to requests by operation and ids instead.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from magnetar_proto.bookie import Status

VERSION_2: Final = 2
VERSION_3: Final = 0x0A
"""What a protobuf message here begins with. A binary packet that claims to be 3 is none."""

# Next to the flags of `magnetar_proto.bookie`; version 3 only, as `DEFERRED_SYNC` there.
ENTRY_PIGGYBACK: Final = 0x200
"""Flag of a long poll: send the entry behind the previous LAC along."""

TOTAL_DISK_CAPACITY: Final = 1
FREE_DISK_SPACE: Final = 2


class Operation(IntEnum):
    """Operations, with the numbers of version 3."""

    READ_ENTRY = 1
    ADD_ENTRY = 2
    RANGE_READ_ENTRY = 3
    RANGE_ADD_ENTRY = 4
    AUTH = 5
    WRITE_LAC = 6
    READ_LAC = 7
    GET_BOOKIE_INFO = 8
    START_TLS = 9
    FORCE_LEDGER = 10
    GET_LIST_OF_ENTRIES_OF_LEDGER = 11
    BATCH_READ_ENTRY = 12


class AddRequest(NamedTuple):
    """Store an entry.

    Attributes:
        flags: `RECOVERY_ADD`, `HIGH_PRIORITY`, `DEFERRED_SYNC`.
        header: of a decoded request the 32 header bytes; what is encoded may have more here.
        payload: what follows: the digest and the payload. Never a view of a receive buffer.
    """

    version: int
    txn_id: int
    flags: int
    ledger_id: int
    entry_id: int
    master_key: bytes
    header: bytes
    payload: bytes


class AddRun(NamedTuple):
    """Adds of version 2 to one ledger, with one key and equal flags: all in three columns.

    Attributes:
        entry_ids: all different; a `range` if they follow on.
        headers, payloads: as those of `AddRequest`.
    """

    flags: int
    ledger_id: int
    entry_ids: Sequence[int]
    master_key: bytes
    headers: Sequence[bytes]
    payloads: Sequence[bytes]
    version: int = VERSION_2


class ReadRequest(NamedTuple):
    """Read an entry, or wait until the last add confirmed moves.

    Attributes:
        flags: `FENCE`, `HIGH_PRIORITY`, `ENTRY_PIGGYBACK`.
        entry_id: or `LAST_ENTRY`.
        master_key: b"" if none was sent.
        previous_lac: version 3: a long poll, answered when the LAC is above; None for a plain read.
        timeout_ms: most that a long poll waits.
    """

    version: int
    txn_id: int
    flags: int
    ledger_id: int
    entry_id: int
    master_key: bytes = b""
    previous_lac: int | None = None
    timeout_ms: int = 0


class BatchReadRequest(NamedTuple):
    """Read entries that follow on; version 2 only.

    Attributes:
        request_id: what the response is matched by.
        max_entries: 0 or less: no limit.
    """

    version: int
    flags: int
    ledger_id: int
    first_entry_id: int
    request_id: int
    max_entries: int
    max_bytes: int
    master_key: bytes = b""


class AuthRequest(NamedTuple):
    """A step of the handshake of an authentication plugin."""

    version: int
    txn_id: int
    plugin_name: str
    payload: bytes


class WriteLacRequest(NamedTuple):
    """Keep the last add confirmed that an idle writer has.

    Attributes:
        body: ledger id, LAC and digest over both; kept as it is.
    """

    txn_id: int
    ledger_id: int
    lac: int
    master_key: bytes
    body: bytes
    version: int = VERSION_3


class ReadLacRequest(NamedTuple):
    """Read what `WriteLacRequest` left, and the entry with the highest id."""

    txn_id: int
    ledger_id: int
    version: int = VERSION_3


class ForceLedgerRequest(NamedTuple):
    """Make all adds of a ledger durable that were answered so far."""

    txn_id: int
    ledger_id: int
    version: int = VERSION_3


class BookieInfoRequest(NamedTuple):
    """How large and how full the disks are.

    Attributes:
        requested: `TOTAL_DISK_CAPACITY`, `FREE_DISK_SPACE`.
    """

    txn_id: int
    requested: int
    version: int = VERSION_3


class ListEntriesRequest(NamedTuple):
    """Which entries of a ledger the bookie has."""

    txn_id: int
    ledger_id: int
    version: int = VERSION_3


class StartTlsRequest(NamedTuple):
    """Go on encrypted behind the response."""

    txn_id: int
    version: int = VERSION_3


class RefusedRequest(NamedTuple):
    """A request that can be answered only with an error; decoding makes it, nobody sends it.

    Attributes:
        version: as sent, so perhaps one that does not exist.
        operation: of the version's own numbers.
        status: what the answer has to be.
    """

    version: int
    txn_id: int
    operation: int
    status: Status
    ledger_id: int = -1
    entry_id: int = -1


Request = (
    AddRequest
    | ReadRequest
    | BatchReadRequest
    | AuthRequest
    | WriteLacRequest
    | ReadLacRequest
    | ForceLedgerRequest
    | BookieInfoRequest
    | ListEntriesRequest
    | StartTlsRequest
    | RefusedRequest
)
