"""The replies that a broker sends for every message, made from pieces instead of through protobuf.

Byte for byte what `magnetar_proto.frames` makes of a `CommandSendReceipt` or `CommandMessage`, at a
fraction of the cost. Ids of -1 go out as 2^64-1, as everywhere in the protocol.
"""

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Final

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.varints import LOW_BITS, LOW_MASK, NONE, split_varint, varint

_pack_sizes: Final = Struct(">II").pack
_ENVELOPE_BYTES: Final = 4  # type, key, length; also what a size field takes
_ID_KEYS_BYTES: Final = 2  # keys of the ledger id and the entry id

# A receipt's fixed bytes by the length of its command: sizes, envelope, key of the producer id. A
# receipt is always shorter than a varint's first step, so its length is one byte.
_RECEIPT_HEADS: Final = [
    _pack_sizes(size + 2 * _ENVELOPE_BYTES, size + _ENVELOPE_BYTES)
    + bytes((0x08, api.BaseCommand.SEND_RECEIPT, api.BaseCommand.SEND_RECEIPT << 3 | 2, size, 0x08))
    for size in range(0x80)
]
# Key and length of its message id, key of the ledger id.
_RECEIPT_IDS: Final = [bytes((0x1A, size, 0x08)) for size in range(0x80)]
_RECEIPT_FIXED_BYTES: Final = 6  # all keys but the last, and the length of the message id

# Sizes, the short envelope, key of the consumer id; then key and length of the message id, key of
# the ledger id.
_pack_message: Final = Struct(">IIIB").pack
_MESSAGE_ENVELOPE: Final = 0x08 << 24 | api.BaseCommand.MESSAGE << 16 | 0x4A << 8
_MESSAGE_IDS: Final = [bytes((0x12, size, 0x08)) for size in range(0x80)]

_NO_HIGHEST: Final = b"\x20" + varint(NONE)


def send_receipt(
    producer_id: int,
    sequence_id: int,
    ledger_id: int,
    entry_id: int,
    highest_sequence_id: int = NONE,
) -> bytes:
    """A whole SEND_RECEIPT frame.

    Args:
        producer_id, sequence_id: those of the send.
        ledger_id, entry_id: where the message is; -1 and -1 for a duplicate.
        highest_sequence_id: that of the send, or `NONE` if it had none.
    """
    return send_receipts(producer_id, ledger_id, entry_id, (sequence_id,), (highest_sequence_id,))


def send_receipts(
    producer_id: int,
    ledger_id: int,
    first_entry_id: int,
    sequence_ids: Iterable[int],
    highest_sequence_ids: Iterable[int],
) -> bytes:
    """SEND_RECEIPT frames for one producer's sends that got entry ids that follow on.

    Args:
        producer_id, ledger_id: of all of them.
        first_entry_id: of the first send.
        sequence_ids, highest_sequence_ids: of each send, in order; see `send_receipt`.
    """
    producer, ledger = varint(producer_id), varint(ledger_id)
    fixed_bytes = len(producer) + len(ledger) + _RECEIPT_FIXED_BYTES
    ids_bytes = len(ledger) + _ID_KEYS_BYTES
    entry_id = first_entry_id & NONE
    # Ids of a run share all but their low bits, and nearly always their length: what they share
    # is made when it changes.
    sequence_high = entry_high = -1
    sequence_bytes = entry_bytes = 0
    parts: list[bytes] = []
    for sequence_id, highest_id in zip(sequence_ids, highest_sequence_ids, strict=True):
        if sequence_id >> LOW_BITS != sequence_high:
            sequence_high = sequence_id >> LOW_BITS
            sequence_lows, sequence_rest = split_varint(sequence_high)
        if entry_id >> LOW_BITS != entry_high:
            entry_high = entry_id >> LOW_BITS
            entry_lows, entry_rest = split_varint(entry_high)
        sequence = sequence_lows[sequence_id & LOW_MASK] + sequence_rest
        entry = entry_lows[entry_id & LOW_MASK] + entry_rest
        highest = _NO_HIGHEST if highest_id == NONE else b"\x20" + varint(highest_id)
        if len(sequence) + len(highest) != sequence_bytes or len(entry) != entry_bytes:
            sequence_bytes, entry_bytes = len(sequence) + len(highest), len(entry)
            before = _RECEIPT_HEADS[fixed_bytes + sequence_bytes + entry_bytes] + producer + b"\x10"
            between = _RECEIPT_IDS[ids_bytes + entry_bytes] + ledger + b"\x10"
        parts += (before, sequence, between, entry, highest)
        entry_id += 1
    return b"".join(parts)


def message_head(
    consumer_id: int,
    ledger_id: int,
    entry_id: int,
    partition: int,
    redelivery_count: int,
    ack_set: Sequence[int],
    payload_bytes: int,
) -> bytes:
    """What stands in front of the payload in a MESSAGE frame.

    Args:
        consumer_id: to whom.
        ledger_id, entry_id: the message's position.
        partition: the topic's index among its partitions, or -1.
        redelivery_count: left out of the frame when it is 0.
        ack_set: signed 64-bit words of the batch indexes not yet acknowledged; empty for all.
        payload_bytes: the size of the payload, which follows as it is.
    """
    consumer, ledger, entry = varint(consumer_id), varint(ledger_id), varint(entry_id)
    index = varint(partition)
    more = _retries(redelivery_count, ack_set) if redelivery_count or ack_set else b""
    ids_bytes = len(ledger) + len(entry) + len(index) + 3
    size = len(consumer) + ids_bytes + 3 + len(more)
    if size < 0x80:
        command_bytes = _ENVELOPE_BYTES + size
        envelope = _pack_message(
            _ENVELOPE_BYTES + command_bytes + payload_bytes,
            command_bytes,
            _MESSAGE_ENVELOPE | size,
            0x08,
        )
    else:
        long_envelope = b"\x08\x09\x4a" + varint(size) + b"\x08"
        command_bytes = len(long_envelope) - 1 + size
        sizes = _pack_sizes(_ENVELOPE_BYTES + command_bytes + payload_bytes, command_bytes)
        envelope = sizes + long_envelope
    return b"".join(
        (envelope, consumer, _MESSAGE_IDS[ids_bytes], ledger, b"\x10", entry, b"\x18", index, more)
    )


def _retries(redelivery_count: int, ack_set: Sequence[int]) -> bytes:
    data = b"\x18" + varint(redelivery_count) if redelivery_count else b""
    return data + b"".join([b"\x20" + varint(word) for word in ack_set])
