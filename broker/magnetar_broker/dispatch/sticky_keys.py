"""What Key_Shared goes by: the key of an entry, and the key's hash."""

from base64 import b64decode
from functools import lru_cache
from typing import Final

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.errors import PayloadError
from magnetar_proto.murmur import murmur3_32
from magnetar_proto.payloads import parse_metadata
from magnetar_proto.texts import clean_text

_NO_KEY: Final = b"NONE_KEY"
_CACHED_KEY_BYTES: Final = 64
_CACHED_KEYS: Final = 1 << 14
_WITHOUT_SIGN: Final = 0x7FFFFFFF


def sticky_key(payload: bytes) -> bytes:
    """The key of an entry; a batch has one only, that of its metadata.

    An ordering key is meant for this and goes before the partition key. Entries without either are
    spread by producer and sequence id. What cannot be read is still sent, for clients to judge.
    """
    try:
        metadata, _ = parse_metadata(payload)
    except PayloadError:
        return _NO_KEY
    return _key_of(metadata)


def count_delay_and_key(payload: bytes) -> tuple[int, int, bytes]:
    """What Key_Shared asks of an entry that it sees for the first time, from one parse.

    Returns:
        How many messages are in it, 0 if it is a marker; the time in ms for which it is meant, 0
        for any; `sticky_key`.
    """
    try:
        metadata, _ = parse_metadata(payload)
    except PayloadError:
        return 1, 0, _NO_KEY
    marker = metadata.HasField("marker_type")
    count = 0 if marker else max(metadata.num_messages_in_batch, 1)
    return count, metadata.deliver_at_time, _key_of(metadata)


def _key_of(metadata: api.MessageMetadata) -> bytes:
    if metadata.HasField("ordering_key"):
        return metadata.ordering_key
    if not metadata.HasField("partition_key"):
        return f"{clean_text(metadata.producer_name)}-{metadata.sequence_id}".encode()
    key = clean_text(metadata.partition_key).encode()
    if metadata.partition_key_b64_encoded:
        try:
            return b64decode(key, validate=True)
        except ValueError:
            return key
    return key


def key_hash(key: bytes) -> int:
    """31 bits, which `HashRanges` reduces to one of its hashes."""
    return _hash_of_short(key) if len(key) <= _CACHED_KEY_BYTES else _hash_of(key)


def _hash_of(key: bytes) -> int:
    return murmur3_32(key) & _WITHOUT_SIGN


# Topics tend to have few keys that come often: a look-up takes a tenth of the time.
_hash_of_short = lru_cache(maxsize=_CACHED_KEYS)(_hash_of)
