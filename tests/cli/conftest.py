"""Bookies for commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.bookie_threads import BookieThreads


@pytest.fixture
def bookies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BookieThreads]:
    """Three bookie services."""
    threads = BookieThreads(tmp_path, monkeypatch)
    threads.start()
    yield threads
    threads.stop()
