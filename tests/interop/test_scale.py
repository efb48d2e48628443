"""A part of the scale bench in its shortest form, so that it works when somebody needs it."""

from pathlib import Path

import pytest

from bench import scale

pytestmark = pytest.mark.interop


async def test_the_shortest_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "SETTLE_S", 0.1)
    monkeypatch.setattr(scale, "LOOKUPS", 100)
    topics = await scale.measure_topics(tmp_path / "topics", 20)
    assert topics["load_s"] > 0
    assert topics["lookup_p99_ms"] >= topics["lookup_p50_ms"]
