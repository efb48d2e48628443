"""Limits that cannot work are refused."""

import pytest
from magnetar_storage.config import BookieConfig
from magnetar_storage.errors import ConfigError


def test_defaults_work() -> None:
    config = BookieConfig(ledger_directories=("l",), journal_directories=("j",))
    assert 2 * config.half_cache_bytes == config.write_cache_bytes


@pytest.mark.parametrize(
    "wrong", [{"journal_file_bytes": 100}, {"write_cache_bytes": 0}, {"flush_interval_ms": 0}]
)
def test_limits_that_cannot_work(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        BookieConfig(ledger_directories=("l",), journal_directories=("j",), **wrong)
