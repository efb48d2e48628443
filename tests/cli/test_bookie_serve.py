"""A bookie as a process: what cannot work is told before anything is opened."""

from pathlib import Path

import pytest
from magnetar_cli.bookie_serve import run_bookie
from magnetar_cli.exits import CommandFailedError, WrongSettingsError
from magnetar_runtime.settings_bookie import BookieServiceSettings


def never(line: str, facts: object) -> None:
    raise AssertionError(line)


def test_a_configuration_that_names_no_store_is_wrong() -> None:
    settings = BookieServiceSettings(metadata_service_uri="etcd://x/y")
    with pytest.raises(WrongSettingsError, match="metadataServiceUri"):
        run_bookie(settings, 0, never)


def test_a_store_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    settings = BookieServiceSettings(
        metadata_service_uri=f"sqlite:{tmp_path}", ledger_directories=str(tmp_path / "ledgers")
    )
    with pytest.raises(CommandFailedError, match="no such file"):
        run_bookie(settings, 0, never)
    assert list(tmp_path.iterdir()) == []
