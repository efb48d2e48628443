"""Pulsar's keys arrive at the parts that they mean, in their units."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from magnetar_cli.standalone_config import (
    bookie_config,
    compaction_config,
    disk_limits,
    managed_ledger_config,
)
from magnetar_runtime.settings import StandaloneSettings
from magnetar_storage.errors import ConfigError


def test_the_bookie_lives_below_the_data_directory() -> None:
    config = bookie_config(StandaloneSettings(journal_max_mb=8, write_cache_mb=16), Path("/d"))
    assert (config.ledger_directories, config.journal_directories) == (
        ("/d/ledgers",),
        ("/d/journal",),
    )
    assert config.journal_file_bytes == 8 << 20
    assert config.write_cache_bytes == 16 << 20


def test_a_disk_is_full_while_there_is_room_for_what_was_taken() -> None:
    settings = StandaloneSettings(journal_max_mb=8, write_cache_mb=16, disk_full_share=0.97)
    limits = disk_limits(settings)
    assert limits.min_free_bytes == 32 << 20
    assert limits.recovery_free_bytes == 32 << 20
    assert (limits.full_share, limits.warn_share) == (0.97, 0.9)
    assert limits.low_water_share == pytest.approx(0.9506)
    assert limits.check_interval_ms == 10_000
    assert disk_limits(StandaloneSettings(disk_min_free_bytes=5)).min_free_bytes == 5
    settings = StandaloneSettings(disk_recovery_free_bytes=5, disk_low_water_share=0.5)
    assert disk_limits(settings).recovery_free_bytes == 5
    assert disk_limits(settings).low_water_share == 0.5


def test_a_lower_threshold_needs_no_other_key() -> None:
    """It was refused: warning and low-water mark have defaults above it."""
    limits = disk_limits(StandaloneSettings(disk_full_share=0.8))
    assert limits.warn_share == 0.8
    assert limits.low_water_share < 0.8


def test_roll_over_and_cursors_have_their_units() -> None:
    config = managed_ledger_config(
        StandaloneSettings(
            max_entries_per_ledger=7,
            max_ledger_mb=3,
            min_ledger_rollover_minutes=1,
            max_ledger_rollover_minutes=2,
            cursor_flush_seconds=5,
            cursor_rollover_seconds=9,
        )
    )
    assert config.max_entries_per_ledger == 7
    assert config.max_ledger_size_bytes == 3 << 20
    assert (config.min_ledger_age_ms, config.max_ledger_age_ms) == (60_000, 120_000)
    assert (config.cursor_flush_interval_ms, config.cursor_max_ledger_age_ms) == (5000, 9000)


def test_retention_without_limit_stays_without_limit() -> None:
    config = managed_ledger_config(StandaloneSettings(retention_minutes=-1, retention_mb=2))
    assert (config.retention.time_ms, config.retention.size_bytes) == (-1, 2 << 20)


def test_relative_directories_are_resolved_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = bookie_config(StandaloneSettings(ledger_directories="a,./b/"), Path("data"))
    assert config.ledger_directories == (f"{tmp_path}/a", f"{tmp_path}/b")
    assert config.journal_directories == (f"{tmp_path}/data/journal",)


@pytest.mark.parametrize("other", ["one/", "./one", "two/../one", "link"])
def test_two_names_of_one_directory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one").mkdir()
    (tmp_path / "link").symlink_to("one")
    for key in ("ledger", "journal"):
        settings = replace(StandaloneSettings(), **{f"{key}_directories": f"one,{other}"})
        message = f"{key}Directories: one and {other} are one directory, {tmp_path}/one"
        with pytest.raises(ConfigError, match=re.escape(message)):
            bookie_config(settings, tmp_path / "data")


def test_a_directory_of_both_kinds_may_have_two_names(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("one")
    settings = StandaloneSettings(
        ledger_directories=f"{tmp_path}/one", journal_directories=f"{tmp_path}/link"
    )
    config = bookie_config(settings, tmp_path / "data")
    assert config.ledger_directories == config.journal_directories


def test_the_data_directory_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is the data directory"):
        bookie_config(StandaloneSettings(ledger_directories=f"{tmp_path}/"), tmp_path)


def test_directories_can_be_named() -> None:
    settings = StandaloneSettings(ledger_directories="/a, /b,", journal_directories="/j")
    config = bookie_config(settings, Path("d"))
    assert config.ledger_directories == ("/a", "/b")
    assert config.journal_directories == ("/j",)


def test_compaction_has_its_units() -> None:
    config = compaction_config(
        StandaloneSettings(minor_compaction_interval_s=7, major_compaction_interval_s=0)
    )
    assert (config.minor_interval_ms, config.major_interval_ms) == (7000, 0)
    assert (config.minor_share, config.major_share, config.rate_bytes_per_s) == (0.2, 0.8, 10**6)
