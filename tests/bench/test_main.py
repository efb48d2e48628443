"""The command line."""

from pathlib import Path

import pytest

from bench import __main__ as command
from bench import results


def test_unknown_row(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "nonsense"])
    assert command.main() == 2
    assert "no such row: nonsense" in capsys.readouterr().err


def test_table_without_results(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "table"])
    monkeypatch.setattr(results, "newest", lambda: None)
    assert command.main() == 1
    assert "no results" in capsys.readouterr().err
