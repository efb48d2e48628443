"""What errors say, and what a node tells."""

import pytest
from magnetar_metadata.store import BadVersionError, MetadataError, NoNodeError


@pytest.mark.parametrize(
    ("error", "text"), [(NoNodeError("/a"), "/a"), (BadVersionError("/a", "has 2"), "/a: has 2")]
)
def test_errors_name_the_path(error: MetadataError, text: str) -> None:
    assert str(error) == text
    assert error.path == "/a"
