"""Ledger metadata: BookKeeper's own bytes, all three versions, and refusals."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.ledger_metadata import DigestType, LedgerMetadata, LedgerState, Segment

# Written to a ZooKeeper and accepted by the Java client of BookKeeper 4.17.2.
GOLDEN_BYTES = b"BookieMetadataFormatVersion\t3\n" + bytes.fromhex(
    "59 0803 1003 1800 20ffffffffffffffffff01 2801"
    "3235 0a0f" + b"127.0.0.1:23181".hex() + "0a0f" + b"127.0.0.1:23182".hex() +
    "0a0f" + b"127.0.0.1:23183".hex() + "1000"
    "3803 4206" + b"secret".hex() + "4802 60b960"
)  # fmt: skip
GOLDEN = LedgerMetadata(
    ensemble_size=3,
    write_quorum=3,
    ack_quorum=2,
    segments=(Segment(0, ("127.0.0.1:23181", "127.0.0.1:23182", "127.0.0.1:23183")),),
    digest_type=DigestType.CRC32C,
    password=b"secret",
    creation_token=12345,
)


def test_the_golden_bytes() -> None:
    assert GOLDEN.encode() == GOLDEN_BYTES
    assert LedgerMetadata.decode(GOLDEN_BYTES) == GOLDEN
    assert not GOLDEN.closed


@st.composite
def ledgers(draw: st.DrawFn) -> LedgerMetadata:
    ensemble = draw(st.integers(1, 4))
    write = draw(st.integers(1, ensemble))
    bookies = st.tuples(*[st.text("abc:1", min_size=1, max_size=6)] * ensemble)
    firsts = [0, *sorted(draw(st.sets(st.integers(1, 2**40), max_size=3)))]
    state = draw(st.sampled_from(LedgerState))
    closed = state is LedgerState.CLOSED
    return LedgerMetadata(
        ensemble_size=ensemble,
        write_quorum=write,
        ack_quorum=draw(st.integers(1, write)),
        segments=tuple(Segment(first, draw(bookies)) for first in firsts),
        state=state,
        last_entry_id=draw(st.integers(-1, 2**62)) if closed else -1,
        length=draw(st.integers(0, 2**62)) if closed else 0,
        digest_type=draw(st.sampled_from(DigestType)),
        password=draw(st.binary(max_size=5)),
        created_ms=draw(st.none() | st.integers(0, 2**42)),
        custom=draw(st.dictionaries(st.text(max_size=5), st.binary(max_size=5), max_size=3)),
        creation_token=draw(st.integers(0, 2**62)),
    )


@settings(max_examples=25, deadline=None)
@given(ledgers())
def test_round_trip(metadata: LedgerMetadata) -> None:
    assert LedgerMetadata.decode(metadata.encode()) == metadata


def test_version_2_is_protobuf_text() -> None:
    value = b"""BookieMetadataFormatVersion\t2
quorumSize: 2
ensembleSize: 3
length: 700
lastEntryId: 9
state: CLOSED
segment { ensembleMember: "a:1" ensembleMember: "b:1" ensembleMember: "c:1" firstEntryId: 0 }
segment { ensembleMember: "a:1" ensembleMember: "d:1" ensembleMember: "c:1" firstEntryId: 4 }
digestType: CRC32
password: "p"
ackQuorumSize: 1
customMetadata { key: "application" value: "pulsar" }
"""
    assert LedgerMetadata.decode(value) == LedgerMetadata(
        3,
        2,
        1,
        (Segment(0, ("a:1", "b:1", "c:1")), Segment(4, ("a:1", "d:1", "c:1"))),
        LedgerState.CLOSED,
        last_entry_id=9,
        length=700,
        digest_type=DigestType.CRC32,
        password=b"p",
        custom={"application": b"pulsar"},
    )


@pytest.mark.parametrize(
    ("end", "state", "last_entry_id", "length"),
    [
        ("", LedgerState.OPEN, -1, 0),
        ("\n9\tCLOSED", LedgerState.CLOSED, 9, 700),
        ("\n-102\tCLOSED", LedgerState.IN_RECOVERY, -1, 0),
    ],
)
def test_version_1_is_lines(end: str, state: LedgerState, last_entry_id: int, length: int) -> None:
    value = f"BookieMetadataFormatVersion\t1\n2\n2\n700\n0\ta:1\tb:1\n4\ta:1\tc:1{end}"
    metadata = LedgerMetadata.decode(value.encode())
    assert (metadata.ensemble_size, metadata.write_quorum, metadata.ack_quorum) == (2, 2, 2)
    assert metadata.segments == (Segment(0, ("a:1", "b:1")), Segment(4, ("a:1", "c:1")))
    assert (metadata.state, metadata.last_entry_id, metadata.length) == (
        state,
        last_entry_id,
        length,
    )


def test_an_old_ledger_without_ack_quorum_needs_all_acks() -> None:
    value = b"""BookieMetadataFormatVersion\t2
quorumSize: 2 ensembleSize: 2 length: 0 state: OPEN
segment { ensembleMember: "a:1" ensembleMember: "b:1" firstEntryId: 0 }
"""
    assert LedgerMetadata.decode(value).ack_quorum == 2


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"garbage",
        b"BookieMetadataFormatVersion\t4\n",
        b"BookieMetadataFormatVersion\t3\n",
        GOLDEN_BYTES[:-1],
        GOLDEN_BYTES + b"\0",
        b"BookieMetadataFormatVersion\t3\n\x01\xff",
        b"BookieMetadataFormatVersion\t2\nquorumSize: many",
        b"BookieMetadataFormatVersion\t2\n\xff",
        b"BookieMetadataFormatVersion\t1\n2",
        b"BookieMetadataFormatVersion\t1\n2\n2\n0\nx\ta:1\tb:1",
    ],
)
def test_what_is_no_metadata_is_refused(value: bytes) -> None:
    with pytest.raises(MalformedRecordError):
        LedgerMetadata.decode(value)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("3\n2\n0\n0\ta:1\tb:1", "quorums"),
        ("2\n2\n0\n1\ta:1\tb:1", "does not start at entry 0"),
        ("2\n2\n0\n", "does not start at entry 0"),
        ("2\n2\n0\n0\ta:1\tb:1\n5\ta:1\tb:1\n5\ta:1\tb:1", "out of order"),
        ("2\n2\n0\n0\ta:1", "has not 2 bookies"),
    ],
)
def test_what_contradicts_itself_is_refused(body: str, reason: str) -> None:
    with pytest.raises(MalformedRecordError, match=reason):
        LedgerMetadata.decode(f"BookieMetadataFormatVersion\t1\n{body}".encode())
