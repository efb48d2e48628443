"""A box with an open engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.storage.support import Box


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    box = Box(tmp_path)
    await box.open()
    yield box
    await box.bookie.close()
