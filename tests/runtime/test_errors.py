"""Messages are sentences for the person at the terminal; the tree is one."""

import pytest
from magnetar_runtime.errors import ConfError, DirectoryLockedError, MagnetarRuntimeError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (DirectoryLockedError("data", "12"), "data is in use by another process (pid 12)"),
        (DirectoryLockedError("data", ""), "data is in use by another process"),
        (ConfError("webServicePort", "'x' is not a whole number"),
         "webServicePort: 'x' is not a whole number"),
    ],
)  # fmt: skip
def test_messages(error: MagnetarRuntimeError, text: str) -> None:
    assert isinstance(error, MagnetarRuntimeError)
    assert str(error) == text
