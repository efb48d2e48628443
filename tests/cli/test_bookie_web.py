"""Bodies that come over HTTP; the answers themselves are in `test_bookie.py`."""

import pytest
from magnetar_cli.bookie_web import _object


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b"\xff"])
def test_what_is_no_object_is_none(body: bytes) -> None:
    assert _object(body) is None


def test_an_object_is_one() -> None:
    assert _object(b'{"readOnly": true}') == {"readOnly": True}
