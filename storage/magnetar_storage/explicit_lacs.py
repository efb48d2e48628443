"""Bodies in which writers tell their last add confirmed without an entry. Pure.

    ledger id 8 | LAC 8 | digest

Who reads it checks the digest; a bookie only looks at the numbers.
"""

from struct import Struct
from typing import Final

_NUMBERS = Struct(">qq")
MAX_BODY_BYTES: Final = 64
"""The longest digest, HMAC, makes 36."""


def lac_of_body(body: bytes) -> int:
    """The LAC that a body tells."""
    return int(_NUMBERS.unpack_from(body)[1])


def is_body(ledger_id: int, body: bytes) -> bool:
    """Whether this can be the body of a ledger's LAC."""
    if not _NUMBERS.size <= len(body) <= MAX_BODY_BYTES:
        return False
    its_ledger, lac = _NUMBERS.unpack_from(body)
    return bool(its_ledger == ledger_id and lac >= -1)
