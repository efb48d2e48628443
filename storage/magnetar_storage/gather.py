"""Parts for one `writev`: what is short is joined, what is long is handed over as it is. Pure."""

from collections.abc import Sequence
from typing import Final

JOIN_BYTES: Final = 8192
"""Up to this length a part is copied rather than handed over. A choice, not yet a measurement."""


def gather(parts: Sequence[bytes], lengths: Sequence[int]) -> list[bytes]:
    """Byte strings that say the same as `parts`, in few elements.

    Args:
        lengths: of the parts.
    """
    if not parts:
        return []
    if max(lengths) <= JOIN_BYTES:
        return [b"".join(parts)]
    vector: list[bytes] = []
    start = 0
    for index, length in enumerate(lengths):
        if length > JOIN_BYTES:
            if index > start:
                vector.append(b"".join(parts[start:index]))
            vector.append(parts[index])
            start = index + 1
    if start < len(parts):
        vector.append(b"".join(parts[start:]))
    return vector
