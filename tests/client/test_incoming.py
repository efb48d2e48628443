import pytest
from magnetar.incoming import ChunkBuffer, Decompressor, Place, open_payload, split
from magnetar.outgoing import MessageOptions, PayloadEncoder, batched, with_checksum
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.batches import join_batch
from magnetar_proto.errors import PayloadError
from magnetar_proto.payloads import add_broker_entry


def test_an_entry_is_opened_whatever_the_broker_put_before_it() -> None:
    payload = PayloadEncoder("n", 0, bytes, b"").plain(3, 4, b"body")
    entry = add_broker_entry(api.BrokerEntryMetadata(index=9)) + payload
    for each in (payload, entry):
        metadata, body = open_payload(each)
        assert (metadata.sequence_id, body) == (3, b"body")


def test_damage_is_found() -> None:
    payload = with_checksum(b"\x0a\x01n\x10\x01\x18\x01", b"body")
    with pytest.raises(PayloadError, match="checksum"):
        open_payload(payload[:-1] + b"!")


def test_batches_are_split_whoever_made_them() -> None:
    options = MessageOptions(partition_key="k", properties={"a": "b"})
    ours = batched(b"x" * 200, 1, None) + b"x" * 200 + batched(b"y", 2, options) + b"y"
    [(first, one), (second, two)] = split(ours, 2)
    assert isinstance(first, bytes)
    assert isinstance(second, api.SingleMessageMetadata)
    assert (one, two, second.partition_key) == (b"x" * 200, b"y", "k")
    theirs = join_batch([(api.SingleMessageMetadata(compacted_out=True), b"z")])
    [(single, content)] = split(theirs, 1)
    assert isinstance(single, api.SingleMessageMetadata)
    assert single.compacted_out
    assert content == b"z"


def test_a_broken_batch_is_refused() -> None:
    good = batched(b"abc", 1, None) + b"abc"
    for bad in (good[:-1], good + b"!", b"", b"\xff" * 9, b"\0\0\0\x02\x18\x80"):
        with pytest.raises(PayloadError):
            split(bad, 1)


def test_codecs_are_kept() -> None:
    decompress = Decompressor()
    packed = api.MessageMetadata(compression=api.ZLIB, uncompressed_size=3)
    import zlib

    for _ in range(2):
        assert decompress(packed, zlib.compress(b"abc")) == b"abc"
    assert decompress(api.MessageMetadata(), b"x") == b"x"


def chunk(uuid: str, number: int, count: int = 3) -> api.MessageMetadata:
    return api.MessageMetadata(uuid=uuid, chunk_id=number, num_chunks_from_msg=count)


def test_chunks_join_also_in_between_others() -> None:
    lost: list[Place] = []
    buffer = ChunkBuffer(10, lost.extend)
    for number in range(2):
        assert buffer.add(chunk("a", number), b"a%d" % number, (1, number)) is None
        assert buffer.add(chunk("b", number), b"b%d" % number, (2, number)) is None
    whole = buffer.add(chunk("a", 2), b"a2", (1, 2))
    assert whole is not None
    assert (whole.content, whole.places) == (b"a0a1a2", [(1, 0), (1, 1), (1, 2)])
    assert buffer.add(chunk("a", 2), b"a2", (1, 2)) is None
    assert lost == []


def test_a_gap_or_a_repetition() -> None:
    lost: list[Place] = []
    buffer = ChunkBuffer(10, lost.extend)
    buffer.add(chunk("a", 0), b"0", (1, 0))
    assert buffer.add(chunk("a", 0), b"0", (1, 0)) is None  # the broker sends all again
    assert buffer.add(chunk("a", 1), b"1", (1, 1)) is None
    assert buffer.add(chunk("a", 1), b"1", (1, 1)) is None
    whole = buffer.add(chunk("a", 2), b"2", (1, 2))
    assert whole is not None
    assert whole.content == b"012"
    buffer.add(chunk("b", 0), b"0", (2, 0))
    assert buffer.add(chunk("b", 2), b"2", (2, 2)) is None
    assert lost == [(2, 0), (2, 2)]


def test_places_of_repetitions_go_with_the_message() -> None:
    lost: list[Place] = []
    buffer = ChunkBuffer(10, lost.extend)
    for number, entry in ((0, 0), (1, 1), (0, 2), (0, 3), (1, 4), (1, 5), (1, 5)):
        assert buffer.add(chunk("a", number), b"%d" % number, (1, entry)) is None
        assert buffer.first_of("a") == ((1, 0) if entry < 2 else (1, min(entry, 3)))
    whole = buffer.add(chunk("a", 2), b"2", (1, 6))
    assert whole is not None
    assert whole.content == b"012"
    assert (whole.places[0], whole.places[-1]) == ((1, 3), (1, 6))
    assert sorted(whole.places) == [(1, entry) for entry in range(7)]
    assert lost == []


def test_places_of_repetitions_are_given_up_with_the_message() -> None:
    lost: list[Place] = []
    buffer = ChunkBuffer(10, lost.extend)
    for number, entry in ((0, 0), (0, 1), (0, 0), (2, 2)):
        buffer.add(chunk("a", number), b"", (1, entry))
    assert lost == [(1, 0), (1, 1), (1, 2)]


def test_the_oldest_gives_way() -> None:
    lost: list[Place] = []
    buffer = ChunkBuffer(2, lost.extend)
    for number, uuid in enumerate("abc"):
        buffer.add(chunk(uuid, 0), b"", (number, 0))
    assert lost == [(0, 0)]
    buffer.clear()
    assert buffer.add(chunk("b", 1), b"", (1, 1)) is None
