"""Dropping pages keeps the content."""

from pathlib import Path

from bench.page_cache import drop_pages


def test_content_stays(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    file = tmp_path / "below" / "file"
    file.write_bytes(bytes(range(256)) * 64)
    drop_pages(tmp_path)
    assert file.read_bytes() == bytes(range(256)) * 64
