"""What BookKeeper writes down about ledgers that lack replicas: paths and bytes, both ways."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message
from magnetar_proto.bookkeeper_metadata_pb2 import (
    AuditorVoteFormat,
    CheckAllLedgersFormat,
    LedgerRereplicationLayoutFormat,
    LockDataFormat,
    UnderreplicatedLedgerFormat,
)

from magnetar_metadata.errors import MalformedRecordError

LAYOUT: Final = b'type: "BASIC"\nversion: 1\n'
_MARKER: Final = "urL"
_GROUPS: Final = 4
_DIGITS_PER_GROUP: Final = 4

RecordT = TypeVar("RecordT", bound=Message)


@dataclass(frozen=True, slots=True)
class UnderreplicatedLedger:
    """A marker: these bookies lack entries of the ledger, or are gone with them."""

    replicas: tuple[str, ...]
    created_ms: int | None = None  # when the first of them was missed

    def with_replicas(self, replicas: Iterable[str]) -> "UnderreplicatedLedger":
        """Those of before and these, each once."""
        return UnderreplicatedLedger(
            tuple(dict.fromkeys((*self.replicas, *replicas))), self.created_ms
        )

    def encode(self) -> bytes:
        record = UnderreplicatedLedgerFormat(replica=self.replicas)
        if self.created_ms is not None:
            record.ctime = self.created_ms
        return _text(record)

    @staticmethod
    def decode(value: bytes) -> "UnderreplicatedLedger":
        """Raises MalformedRecordError."""
        record = _parsed(value, UnderreplicatedLedgerFormat(), "under-replicated ledger")
        ctime = record.ctime if record.HasField("ctime") else None
        return UnderreplicatedLedger(tuple(record.replica), ctime)


def underreplication_root(ledgers_root: str) -> str:
    """Below it all stands."""
    return f"{ledgers_root}/underreplication"


def marker_name(ledger_id: int) -> str:
    """As the last part of a marker's path and of its lock's."""
    return f"{_MARKER}{ledger_id:010d}"


def marker_path(ledger_id: int, ledgers_root: str) -> str:
    """The path of a ledger's marker; the id's sixteen hex digits stand in groups above it."""
    digits = f"{ledger_id:0{_GROUPS * _DIGITS_PER_GROUP}x}"
    groups = [
        digits[at : at + _DIGITS_PER_GROUP] for at in range(0, len(digits), _DIGITS_PER_GROUP)
    ]
    return "/".join([markers_path(ledgers_root), *groups, marker_name(ledger_id)])


def markers_path(ledgers_root: str) -> str:
    return f"{underreplication_root(ledgers_root)}/ledgers"


def parents_of_marker(path: str) -> list[str]:
    """The groups above a marker, deepest first."""
    parents = []
    for _ in range(_GROUPS):
        path = path.rpartition("/")[0]
        parents.append(path)
    return parents


def ledger_of_marker(name: str) -> int | None:
    """The ledger whose marker or lock has this name; None if it is none."""
    digits = name.removeprefix(_MARKER)
    if digits == name or not (digits.isascii() and digits.isdigit()):
        return None
    return int(digits)


def encode_lock(worker: str) -> bytes:
    """What stands in a lock: who repairs."""
    return _text(LockDataFormat(bookieId=worker))


def decode_lock(value: bytes) -> str:
    """Raises MalformedRecordError."""
    return _parsed(value, LockDataFormat(), "repair lock").bookieId


def encode_vote(bookie_id: str) -> bytes:
    """What stands in a candidate's node of the election of the auditor."""
    return _text(AuditorVoteFormat(bookieId=bookie_id))


def decode_vote(value: bytes) -> str:
    """Raises MalformedRecordError."""
    return _parsed(value, AuditorVoteFormat(), "auditor's vote").bookieId


def check_layout(value: bytes) -> None:
    """Raises MalformedRecordError: these are not the nodes that are known here."""
    found = _parsed(value, LedgerRereplicationLayoutFormat(), "under-replication layout")
    if (found.type, found.version) != ("BASIC", 1):
        raise MalformedRecordError(
            "under-replication layout", f"{found.type} {found.version} is not known here"
        )


def encode_check_time(wall_ms: int) -> bytes:
    """When all ledgers were checked; binary, unlike the others."""
    return CheckAllLedgersFormat(checkAllLedgersCTime=wall_ms).SerializeToString()


def decode_check_time(value: bytes) -> int | None:
    """Raises MalformedRecordError."""
    try:
        record = CheckAllLedgersFormat.FromString(value)
    except DecodeError as error:
        raise MalformedRecordError("time of the last check", str(error)) from error
    return record.checkAllLedgersCTime if record.HasField("checkAllLedgersCTime") else None


def _text(record: Message) -> bytes:
    return text_format.MessageToString(record).encode()


def _parsed(value: bytes, record: RecordT, kind: str) -> RecordT:
    try:
        return text_format.Parse(value.decode(), record)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise MalformedRecordError(kind, str(error)) from error
