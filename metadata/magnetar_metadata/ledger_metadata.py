"""What the cluster knows of a ledger: quorums, state and the bookies of each segment.

The bytes are BookKeeper's: a line with the version, then protobuf (3), protobuf text (2) or lines
of text (1). All three are read; version 3 is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise

from google.protobuf import text_format
from google.protobuf.message import DecodeError
from magnetar_proto.bookkeeper_metadata_pb2 import LedgerMetadataFormat

from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.varint import read_varint, write_varint

_VERSION_KEY = b"BookieMetadataFormatVersion\t"
_CLOSED_LINE = "CLOSED"
_IN_RECOVERY_ENTRY = -102  # version 1 has no states: this stands for the last entry in recovery


class LedgerState(IntEnum):
    OPEN = 1
    IN_RECOVERY = 2
    CLOSED = 3


class DigestType(IntEnum):
    CRC32 = 1
    HMAC = 2
    CRC32C = 3
    DUMMY = 4


@dataclass(frozen=True, slots=True)
class Segment:
    """The bookies that have the entries from `first_entry_id` to the next segment's first.

    The order of the bookies is the striping order.
    """

    first_entry_id: int
    bookies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LedgerMetadata:
    """One version of a ledger's metadata. While not CLOSED the last entry id is -1, length 0."""

    ensemble_size: int
    write_quorum: int
    ack_quorum: int
    segments: tuple[Segment, ...]
    state: LedgerState = LedgerState.OPEN
    last_entry_id: int = -1
    length: int = 0  # payload bytes
    digest_type: DigestType = DigestType.CRC32C
    password: bytes = b""
    created_ms: int | None = None
    custom: Mapping[str, bytes] = field(default_factory=dict)
    creation_token: int = 0  # random; tells whether a create of unknown outcome was ours

    @property
    def closed(self) -> bool:
        return self.state is LedgerState.CLOSED

    def encode(self) -> bytes:
        """The bytes of version 3."""
        body = _to_format(self).SerializeToString()
        return _VERSION_KEY + b"3\n" + write_varint(len(body)) + body

    @staticmethod
    def decode(value: bytes) -> "LedgerMetadata":
        """Read the bytes of any version.

        Raises:
            MalformedRecordError
        """
        head, newline, body = value.partition(b"\n")
        if not newline or not head.startswith(_VERSION_KEY):
            raise _malformed("no version line")
        try:
            return _check(_DECODERS[head.removeprefix(_VERSION_KEY)](body))
        except KeyError:
            raise _malformed(f"unknown version line {head!r}") from None
        except (DecodeError, text_format.ParseError, ValueError, IndexError) as error:
            raise _malformed(str(error)) from error


def _malformed(reason: str) -> MalformedRecordError:
    return MalformedRecordError("ledger metadata", reason)


def _check(metadata: LedgerMetadata) -> LedgerMetadata:
    quorums = (metadata.ensemble_size, metadata.write_quorum, metadata.ack_quorum)
    if not metadata.ensemble_size >= metadata.write_quorum >= metadata.ack_quorum >= 1:
        raise _malformed(f"quorums {quorums} do not fit into each other")
    if not metadata.segments or metadata.segments[0].first_entry_id != 0:
        raise _malformed("the first segment does not start at entry 0")
    firsts = [segment.first_entry_id for segment in metadata.segments]
    if any(later <= earlier for earlier, later in pairwise(firsts)):
        raise _malformed(f"segments out of order: {firsts}")
    if any(len(segment.bookies) != metadata.ensemble_size for segment in metadata.segments):
        raise _malformed(f"a segment has not {metadata.ensemble_size} bookies")
    return metadata


def _to_format(metadata: LedgerMetadata) -> LedgerMetadataFormat:
    record = LedgerMetadataFormat(
        quorumSize=metadata.write_quorum,
        ensembleSize=metadata.ensemble_size,
        length=metadata.length,
        lastEntryId=metadata.last_entry_id,
        state=metadata.state.name,
        digestType=metadata.digest_type.name,
        password=metadata.password,
        ackQuorumSize=metadata.ack_quorum,
        cToken=metadata.creation_token,
    )
    for segment in metadata.segments:
        record.segment.add(ensembleMember=segment.bookies, firstEntryId=segment.first_entry_id)
    if metadata.created_ms is not None:
        record.ctime = metadata.created_ms
    for key, value in metadata.custom.items():
        record.customMetadata.add(key=key, value=value)
    return record


def _from_format(record: LedgerMetadataFormat) -> LedgerMetadata:
    has = record.HasField
    closed = record.state == LedgerMetadataFormat.CLOSED
    return LedgerMetadata(
        ensemble_size=record.ensembleSize,
        write_quorum=record.quorumSize,
        ack_quorum=record.ackQuorumSize if has("ackQuorumSize") else record.quorumSize,
        segments=tuple(
            Segment(segment.firstEntryId, tuple(segment.ensembleMember))
            for segment in record.segment
        ),
        state=LedgerState(record.state),
        last_entry_id=record.lastEntryId if closed and has("lastEntryId") else -1,
        length=record.length if closed else 0,
        # Ledgers from before the field was there have HMAC digests.
        digest_type=DigestType(record.digestType) if has("digestType") else DigestType.HMAC,
        password=record.password,
        created_ms=record.ctime if has("ctime") else None,
        custom={entry.key: entry.value for entry in record.customMetadata},
        creation_token=record.cToken,
    )


def _decode_v3(body: bytes) -> LedgerMetadata:
    length, start = read_varint(body, 0)
    if start + length != len(body):
        raise _malformed(f"{len(body) - start} bytes where {length} were announced")
    return _from_format(LedgerMetadataFormat.FromString(body[start:]))


def _decode_v2(body: bytes) -> LedgerMetadata:
    return _from_format(text_format.Parse(body.decode(), LedgerMetadataFormat()))


def _decode_v1(body: bytes) -> LedgerMetadata:
    write_quorum, ensemble_size, length, *lines = body.decode().split("\n")
    segments: list[Segment] = []
    state, last_entry_id = LedgerState.OPEN, -1
    for line in filter(None, lines):
        first, *rest = line.split("\t")
        if rest == [_CLOSED_LINE]:
            last_entry_id = int(first)
            in_recovery = last_entry_id == _IN_RECOVERY_ENTRY
            state = LedgerState.IN_RECOVERY if in_recovery else LedgerState.CLOSED
            break
        segments.append(Segment(int(first), tuple(rest)))
    closed = state is LedgerState.CLOSED
    return LedgerMetadata(
        ensemble_size=int(ensemble_size),
        write_quorum=int(write_quorum),
        ack_quorum=int(write_quorum),
        segments=tuple(segments),
        state=state,
        last_entry_id=last_entry_id if closed else -1,
        length=int(length) if closed else 0,
        digest_type=DigestType.HMAC,
    )


_DECODERS = {b"1": _decode_v1, b"2": _decode_v2, b"3": _decode_v3}
