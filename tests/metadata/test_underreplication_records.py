"""The bytes and paths are BookKeeper's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.underreplication_records import (
    LAYOUT,
    UnderreplicatedLedger,
    check_layout,
    decode_check_time,
    decode_lock,
    decode_vote,
    encode_check_time,
    encode_lock,
    encode_vote,
    ledger_of_marker,
    marker_name,
    marker_path,
    parents_of_marker,
)


def test_the_layout_has_the_bytes_that_a_real_cluster_has() -> None:
    assert len(LAYOUT) == 25
    check_layout(LAYOUT)
    with pytest.raises(MalformedRecordError, match="not known"):
        check_layout(b'type: "OTHER"\nversion: 1\n')
    with pytest.raises(MalformedRecordError):
        check_layout(b"")


def test_a_marker_lies_below_the_hex_digits_of_its_id() -> None:
    path = marker_path(0xCAFEBEEF0000FEED >> 1, "/ledgers")
    assert path == ("/ledgers/underreplication/ledgers/657f/5f77/8000/7f76/urL7313669286726238070")
    assert marker_path(7, "/l") == "/l/underreplication/ledgers/0000/0000/0000/0007/urL0000000007"
    assert parents_of_marker(marker_path(7, "/l")) == [
        "/l/underreplication/ledgers/0000/0000/0000/0007",
        "/l/underreplication/ledgers/0000/0000/0000",
        "/l/underreplication/ledgers/0000/0000",
        "/l/underreplication/ledgers/0000",
    ]


def test_a_marker_is_protobuf_text() -> None:
    marker = UnderreplicatedLedger(("127.0.0.1:3181", "b-2"), 1_700_000_000_000)
    text = b'replica: "127.0.0.1:3181"\nreplica: "b-2"\nctime: 1700000000000\n'
    assert marker.encode() == text
    assert UnderreplicatedLedger.decode(text) == marker
    assert UnderreplicatedLedger.decode(b'replica: "b"\n') == UnderreplicatedLedger(("b",))
    assert UnderreplicatedLedger.decode(b"") == UnderreplicatedLedger(())
    with pytest.raises(MalformedRecordError):
        UnderreplicatedLedger.decode(b"replica: 7")
    with pytest.raises(MalformedRecordError):
        UnderreplicatedLedger.decode(b"\xff\xff")


def test_a_replica_is_noted_once() -> None:
    marker = UnderreplicatedLedger(("a",), 5).with_replicas(["b", "a"])
    assert marker == UnderreplicatedLedger(("a", "b"), 5)


def test_locks_votes_and_times() -> None:
    assert encode_lock("host") == b'bookieId: "host"\n'
    assert decode_lock(encode_lock("host")) == "host"
    assert encode_vote("127.0.0.1:3181") == b'bookieId: "127.0.0.1:3181"\n'
    assert decode_vote(encode_vote("a:1")) == "a:1"
    assert encode_check_time(300) == b"\x08\xac\x02"
    assert decode_check_time(encode_check_time(300)) == 300
    assert decode_check_time(b"") is None
    with pytest.raises(MalformedRecordError):
        decode_check_time(b"\x08")


@given(st.integers(0, 2**63 - 1))
def test_the_ledger_is_found_in_the_name(ledger_id: int) -> None:
    assert ledger_of_marker(marker_name(ledger_id)) == ledger_id
    assert marker_path(ledger_id, "/r").endswith("/" + marker_name(ledger_id))


@pytest.mark.parametrize("name", ["0000", "urL", "urLx", "urL-1", "url1", "1urL1"])
def test_other_names_are_no_markers(name: str) -> None:
    assert ledger_of_marker(name) is None
