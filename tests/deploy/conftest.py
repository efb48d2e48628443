"""What the tests of `deploy/` share."""

import pytest

from tests.deploy.dry_run import DryRun


@pytest.fixture
def dry_run(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> DryRun:
    """Runs command lines without starting anything."""
    return DryRun(monkeypatch, caplog)
