"""Shares of a disk, also of one without a size, as some virtual file systems are."""

import pytest
from magnetar_runtime.disk import DiskSpace


@pytest.mark.parametrize(
    ("total_bytes", "free_bytes", "share"), [(100, 100, 0.0), (100, 25, 0.75), (0, 0, 1.0)]
)
def test_used_share(total_bytes: int, free_bytes: int, share: float) -> None:
    assert DiskSpace(total_bytes, free_bytes).used_share == share
