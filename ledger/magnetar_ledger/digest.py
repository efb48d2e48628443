"""Entry headers and digests: what stands before a payload, made and verified.

An entry is ledger id, entry id, last add confirmed and ledger length (eight bytes each), a digest
over those 32 bytes and the payload, and the payload. The payload is never copied to make a digest.
"""

import hashlib
import hmac
import struct
import zlib
from collections.abc import Sequence
from typing import Final

import fastcrc
from magnetar_metadata.ledger_metadata import DigestType
from magnetar_proto.bookie import ENTRY_HEADER_BYTES

from magnetar_ledger.errors import DigestMismatchError

_HEADER: Final = struct.Struct(">qqqq")
_LAC_BODY: Final = struct.Struct(">qq")
_LAC_OFFSET: Final = 16
_LENGTH_OFFSET: Final = 24

_pack_header = _HEADER.pack
_crc32c = fastcrc.crc32.iscsi


def master_key(password: bytes) -> bytes:
    """The 20 bytes by which bookies know the ledger's owner."""
    return hashlib.sha1(b"ledger" + password).digest()  # noqa: S324 - BookKeeper's protocol


class EntryDigest:
    """Makes and verifies the entries of one ledger. `EntryDigest.of` picks the kind."""

    size: int  # bytes between header and payload

    @staticmethod
    def of(digest_type: DigestType, password: bytes) -> "EntryDigest":
        """The digest that a ledger's metadata asks for."""
        match digest_type:
            case DigestType.CRC32C:
                return _Crc32cDigest()
            case DigestType.CRC32:
                return _Crc32Digest()
            case DigestType.HMAC:
                return _HmacDigest(password)
            case DigestType.DUMMY:
                return EntryDigest()

    def __init__(self) -> None:
        self.size = 0

    def header(
        self, ledger_id: int, entry_id: int, last_add_confirmed: int, length: int, payload: bytes
    ) -> bytes:
        """The 32 header bytes and the digest.

        Args:
            length: payload bytes of the ledger up to and with this entry.
        """
        header = _pack_header(ledger_id, entry_id, last_add_confirmed, length)
        return header + self._digest(header, payload)

    def headers(
        self,
        ledger_id: int,
        first_entry_id: int,
        last_add_confirmed: int,
        length: int,
        payloads: Sequence[bytes],
    ) -> list[bytes]:
        """The headers of entries that follow on; `length` is that before the first of them."""
        headers: list[bytes] = []
        for entry_id, payload in enumerate(payloads, first_entry_id):
            length += len(payload)
            headers.append(self.header(ledger_id, entry_id, last_add_confirmed, length, payload))
        return headers

    def payload_of(self, entry: bytes, ledger_id: int, entry_id: int) -> bytes:
        """The payload of a whole entry, if it is the entry asked for, as its writer made it.

        Raises:
            DigestMismatchError
        """
        start = ENTRY_HEADER_BYTES + self.size
        if len(entry) < start:
            raise DigestMismatchError(f"entry {ledger_id}:{entry_id} has {len(entry)} bytes")
        header, payload = entry[:ENTRY_HEADER_BYTES], entry[start:]
        if self._digest(header, payload) != entry[ENTRY_HEADER_BYTES:start]:
            raise DigestMismatchError(f"entry {ledger_id}:{entry_id} has a wrong digest")
        found_ledger_id, found_entry_id, _, _ = _HEADER.unpack(header)
        if found_ledger_id != ledger_id or found_entry_id != entry_id:
            raise DigestMismatchError(
                f"entry {found_ledger_id}:{found_entry_id} came for {ledger_id}:{entry_id}"
            )
        return payload

    def lac_body(self, ledger_id: int, last_add_confirmed: int) -> bytes:
        """What a bookie keeps as an explicit LAC."""
        body = _LAC_BODY.pack(ledger_id, last_add_confirmed)
        return body + self._digest(body, b"")

    def lac_of_body(self, body: bytes, ledger_id: int) -> int:
        """The LAC in what a bookie has kept.

        Raises:
            DigestMismatchError
        """
        head = body[: _LAC_BODY.size]
        if len(head) == _LAC_BODY.size and head + self._digest(head, b"") == body:
            found_ledger_id, last_add_confirmed = _LAC_BODY.unpack(head)
            if found_ledger_id == ledger_id:
                return int(last_add_confirmed)
        raise DigestMismatchError(f"ledger {ledger_id}: the explicit LAC is damaged")

    def _digest(self, header: bytes, payload: bytes) -> bytes:
        return b""


def entry_id_of(entry: bytes) -> int:
    return int.from_bytes(entry[8:16], signed=True)


def lac_of(entry: bytes) -> int:
    """The last add confirmed that the writer knew of when it made this entry."""
    return int.from_bytes(entry[_LAC_OFFSET : _LAC_OFFSET + 8], signed=True)


def length_of(entry: bytes) -> int:
    """Payload bytes of the ledger up to and with this entry."""
    return int.from_bytes(entry[_LENGTH_OFFSET : _LENGTH_OFFSET + 8], signed=True)


class _Crc32cDigest(EntryDigest):
    def __init__(self) -> None:
        self.size = 4

    def headers(
        self,
        ledger_id: int,
        first_entry_id: int,
        last_add_confirmed: int,
        length: int,
        payloads: Sequence[bytes],
    ) -> list[bytes]:
        # Hot, once per entry written: the general way without its calls.
        pack, crc32c = _pack_header, _crc32c
        headers: list[bytes] = []
        append = headers.append
        for entry_id, payload in enumerate(payloads, first_entry_id):
            length += len(payload)
            header = pack(ledger_id, entry_id, last_add_confirmed, length)
            append(header + crc32c(payload, crc32c(header)).to_bytes(4))
        return headers

    def _digest(self, header: bytes, payload: bytes) -> bytes:
        return _crc32c(payload, _crc32c(header)).to_bytes(4)


class _Crc32Digest(EntryDigest):
    def __init__(self) -> None:
        self.size = 8

    def _digest(self, header: bytes, payload: bytes) -> bytes:
        return zlib.crc32(payload, zlib.crc32(header)).to_bytes(8)


class _HmacDigest(EntryDigest):
    def __init__(self, password: bytes) -> None:
        self.size = 20
        key = hashlib.sha1(b"mac" + password).digest()  # noqa: S324 - BookKeeper's protocol
        self._keyed = hmac.new(key, digestmod=hashlib.sha1)

    def _digest(self, header: bytes, payload: bytes) -> bytes:
        mac = self._keyed.copy()
        mac.update(header)
        mac.update(payload)
        return mac.digest()
