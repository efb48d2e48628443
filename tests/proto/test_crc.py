"""CRC32C against its published check value and against itself in parts."""

import pytest
from magnetar_proto.crc import crc32c, crc32c_more

CHECK = 0xE3069283  # of b"123456789", by the definition of CRC-32C
TEXT = b"123456789"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_check_value(kind: type[bytes]) -> None:
    assert crc32c(kind(TEXT)) == CHECK


def test_nothing_has_checksum_zero() -> None:
    assert crc32c(b"") == 0


def test_parts_need_no_joining() -> None:
    for cut in range(len(TEXT) + 1):
        assert crc32c_more(crc32c(TEXT[:cut]), memoryview(TEXT)[cut:]) == CHECK
