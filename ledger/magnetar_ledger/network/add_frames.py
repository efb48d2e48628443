"""The frames of a run of adds in version 2, made once for all bookies that get the run.

Version 2 has no transaction ids, so the bytes are the same for each of them.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Final

from magnetar_proto.bookie import HIGH_PRIORITY, RECOVERY_ADD
from magnetar_proto.bookkeeper.requests import VERSION_2
from magnetar_proto.bookkeeper.wire_v2 import ADD, MASTER_KEY_BYTES

_JOIN_BELOW_BYTES: Final = 2048
"""Entries that are shorter on average are joined here, and not again for each bookie."""

_FLAGS: Final = RECOVERY_ADD | HIGH_PRIORITY

_size: Final = Struct(">I")
_word: Final = Struct(">I")


class AddFrames:
    """Makes frames, and remembers those of the last run."""

    def __init__(self) -> None:
        # Whoever calls gives each bookie the same lists, and does not change them afterwards; as
        # they are kept here, no others can have their identity.
        self._headers: Sequence[bytes] = ()
        self._payloads: Sequence[bytes] = ()
        self._tail = b""
        self._parts: list[bytes] = []

    def parts(
        self,
        master_key: bytes,
        headers: Sequence[bytes],
        payloads: Sequence[bytes],
        flags: int,
    ) -> list[bytes]:
        """What is to be written for these adds; not to be changed."""
        tail = _word.pack(VERSION_2 << 24 | ADD << 16 | flags & _FLAGS) + master_key
        same = headers is self._headers and payloads is self._payloads
        if not same or tail != self._tail:
            self._headers, self._payloads, self._tail = headers, payloads, tail
            self._parts = _frames(tail, headers, payloads)
        return self._parts


def _frames(tail: bytes, headers: Sequence[bytes], payloads: Sequence[bytes]) -> list[bytes]:
    assert len(tail) == _word.size + MASTER_KEY_BYTES
    parts: list[bytes] = []
    head, head_size, total = b"", -1, 0
    for header, payload in zip(headers, payloads, strict=True):
        size = len(tail) + len(header) + len(payload)
        if size != head_size:  # entries of one size come together
            head, head_size = _size.pack(size) + tail, size
        parts.append(head + header)
        parts.append(payload)
        total += size
    return [b"".join(parts)] if total < _JOIN_BELOW_BYTES * len(headers) else parts
