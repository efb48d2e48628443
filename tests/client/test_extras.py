"""A missing library is named together with what needs it."""

import pytest
from magnetar.extras import MissingExtraError, load


def test_a_library_that_is_there_is_imported() -> None:
    assert load("zlib", "zlib").compress(b"") != b""


def test_a_library_that_is_missing_is_named_in_one_line() -> None:
    with pytest.raises(MissingExtraError) as caught:
        load("no_such_library.block", "lz4")
    assert str(caught.value) == (
        "lz4 needs the library no_such_library: pip install no_such_library"
    )
    assert caught.value.name == "no_such_library"
