"""Packets as they passed between the Java client and Apache BookKeeper 4.17.2, without lengths."""

from magnetar_proto.bookie import FENCE, HIGH_PRIORITY, LAST_ENTRY, RECOVERY_ADD, Status
from magnetar_proto.bookkeeper.requests import (
    FREE_DISK_SPACE,
    TOTAL_DISK_CAPACITY,
    VERSION_2,
    VERSION_3,
    AddRequest,
    AuthRequest,
    BatchReadRequest,
    BookieInfoRequest,
    ForceLedgerRequest,
    Operation,
    ReadLacRequest,
    ReadRequest,
    RefusedRequest,
    Request,
    StartTlsRequest,
)
from magnetar_proto.bookkeeper.responses import (
    AddResponse,
    AuthResponse,
    BatchReadResponse,
    ErrorResponse,
    ForceLedgerResponse,
    ReadResponse,
    Response,
)

LEDGER = 0x529075
KEY = bytes.fromhex("e793cbc379107648537183605cd361d3bb789a39")
HEADER = bytes.fromhex("0000000000529075 0000000000000000 ffffffffffffffff 0000000000000005")
REST = bytes.fromhex("c0b396ee 68656c6c6f")  # CRC32C and payload
ENTRY = HEADER + REST
LEDGER_3 = 5411033
HEADER_3 = LEDGER_3.to_bytes(8, "big") + HEADER[8:]
ENTRY_3 = HEADER_3 + REST

_LEDGER_2 = "0000000000529075"
_LEDGER_3 = "d9a1ca02"
_MINUS_1 = "ffffffffffffffff"
_SIZED_ENTRY = f"00000029 {ENTRY.hex()}"
_ADD_BODY = f"{KEY.hex()} {ENTRY.hex()}"

REQUESTS: list[tuple[str, Request]] = [
    (f"02010000 {_ADD_BODY}", AddRequest(VERSION_2, 0, 0, LEDGER, 0, KEY, HEADER, REST)),
    (
        f"02010006 {_ADD_BODY}",
        AddRequest(VERSION_2, 0, RECOVERY_ADD | HIGH_PRIORITY, LEDGER, 0, KEY, HEADER, REST),
    ),
    (f"02020000 {_LEDGER_2} 0000000000000001", ReadRequest(VERSION_2, 0, 0, LEDGER, 1)),
    (f"02020000 {_LEDGER_2} {_MINUS_1}", ReadRequest(VERSION_2, 0, 0, LEDGER, LAST_ENTRY)),
    (
        f"02020001 {_LEDGER_2} {_MINUS_1} {KEY.hex()}",
        ReadRequest(VERSION_2, 0, FENCE, LEDGER, LAST_ENTRY, KEY),
    ),
    (
        f"02020005 {_LEDGER_2} 0000000000000007 {KEY.hex()}",
        ReadRequest(VERSION_2, 0, FENCE | HIGH_PRIORITY, LEDGER, 7, KEY),
    ),
    (
        f"02070000 {_LEDGER_2} 0000000000000000 000000000000004d 0000000a 0000000000100000",
        BatchReadRequest(VERSION_2, 0, LEDGER, 0, 77, 10, 1 << 20),
    ),
    ("02030000 0a046e6f6e651200", AuthRequest(VERSION_2, 0, "none", b"")),
    (
        f"0a060803100218 01 aa0648 08{_LEDGER_3} 1000 1a14{KEY.hex()} 2229{ENTRY_3.hex()}",
        AddRequest(VERSION_3, 1, 0, LEDGER_3, 0, KEY, HEADER_3, REST),
    ),
    (f"0a06080310011803 a20607 08{_LEDGER_3} 1001", ReadRequest(VERSION_3, 3, 0, LEDGER_3, 1)),
    (
        f"0a06080310011804 a20610 08{_LEDGER_3} 10ffffffffffffffffff01",
        ReadRequest(VERSION_3, 4, 0, LEDGER_3, LAST_ENTRY),
    ),
    (f"0a06080310071806 c20605 08{_LEDGER_3}", ReadLacRequest(6, LEDGER_3)),
    (f"0a060803100a180c da0605 08{_LEDGER_3}", ForceLedgerRequest(12, LEDGER_3)),
    (
        "0a0608031008180b ca0602 0803",
        BookieInfoRequest(11, TOTAL_DISK_CAPACITY | FREE_DISK_SPACE),
    ),
    ("0a06080310091812 d20600", StartTlsRequest(18)),
]

LONG_POLL = (
    f"0a0608031001180e a20618 a00602 08{_LEDGER_3} 10ffffffffffffffffff01 2001 28ac02",
    ReadRequest(VERSION_3, 14, 0x200, LEDGER_3, LAST_ENTRY, b"", 1, 300),
)
"""Its fields stand in another order than ours."""

REFUSED: list[tuple[str, RefusedRequest]] = [
    (
        f"03020000 {_LEDGER_2} 0000000000000001",
        RefusedRequest(3, 0, 2, Status.BAD_VERSION, LEDGER, 1),
    ),
    (
        "0a060803100c1805",
        RefusedRequest(VERSION_3, 5, Operation.BATCH_READ_ENTRY, Status.BAD_REQUEST),
    ),
    (
        "0a06080310031805",
        RefusedRequest(VERSION_3, 5, Operation.RANGE_READ_ENTRY, Status.BAD_REQUEST),
    ),
]

RESPONSES: list[tuple[str, Response]] = [
    (
        f"02010000 00000000 {_LEDGER_2} 0000000000000000",
        AddResponse(VERSION_2, 0, Status.OK, LEDGER, 0),
    ),
    (
        f"02010000 00000066 {_LEDGER_2} 0000000000000000",
        AddResponse(VERSION_2, 0, Status.UNAUTHORIZED, LEDGER, 0),
    ),
    (
        f"02010000 00000068 {_LEDGER_2} 0000000000000000",
        AddResponse(VERSION_2, 0, Status.FENCED, LEDGER, 0),
    ),
    (
        f"02020000 00000000 {_LEDGER_2} {_MINUS_1} {ENTRY.hex()}",
        ReadResponse(VERSION_2, 0, Status.OK, LEDGER, LAST_ENTRY, ENTRY),
    ),
    (
        f"02020000 00000002 {_LEDGER_2} 0000000000000009",
        ReadResponse(VERSION_2, 0, Status.NO_ENTRY, LEDGER, 9),
    ),
    (
        f"02070000 00000000 {_LEDGER_2} 0000000000000000 000000000000004d {2 * _SIZED_ENTRY}",
        BatchReadResponse(VERSION_2, Status.OK, LEDGER, 0, 77, (ENTRY, ENTRY)),
    ),
    (
        "02030000 0a12" + b"AuthDisabledPlugin".hex() + "1200",
        AuthResponse(VERSION_2, 0, Status.OK, "AuthDisabledPlugin", b""),
    ),
    (
        f"0a06080310021801 1000 aa0609 0800 10{_LEDGER_3} 1800",
        AddResponse(VERSION_3, 1, Status.OK, LEDGER_3, 0),
    ),
    (
        f"0a06080310021816 10f803 aa060a 08f803 10{_LEDGER_3} 1802",
        AddResponse(VERSION_3, 22, Status.FENCED, LEDGER_3, 2),
    ),
    (
        f"0a06080310011803 1000 a20636 0800 10{_LEDGER_3} 1801 2229{ENTRY_3.hex()} 2800",
        ReadResponse(VERSION_3, 3, Status.OK, LEDGER_3, 1, ENTRY_3, 0),
    ),
    (
        f"0a06080310011805 109303 a2060a 089303 10{_LEDGER_3} 1809",
        ReadResponse(VERSION_3, 5, Status.NO_ENTRY, LEDGER_3, 9),
    ),
    (
        f"0a060803100a180c 1000 da0607 0800 10{_LEDGER_3}",
        ForceLedgerResponse(12, Status.OK, LEDGER_3),
    ),
    (
        "0a06080310091812 109403",
        ErrorResponse(VERSION_3, 18, Operation.START_TLS, Status.BAD_REQUEST),
    ),
]
