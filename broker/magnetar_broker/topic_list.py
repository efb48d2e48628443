"""The hash by which a client tells whether a list of topics has changed."""

from collections.abc import Iterable

from magnetar_proto.crc import crc32c


def names_hash(names: Iterable[str]) -> str:
    """CRC32C of the sorted names, in the order of bytes in which Java libraries print it."""
    joined = ",".join(sorted(names)).encode()
    return crc32c(joined).to_bytes(4, "little").hex()
