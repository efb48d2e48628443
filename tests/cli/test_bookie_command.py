"""`magnetar bookie`: the command line, the configuration, the process, its exits."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from magnetar_cli.bookie_command import _settings, command
from magnetar_cli.exits import WrongSettingsError


def test_later_sources_of_a_key_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = tmp_path / "bookkeeper.conf"
    conf.write_text("bookiePort=1\nzkTimeout=2\ngcWaitTime=3\n")
    monkeypatch.setenv("PULSAR_PREFIX_zkTimeout", "20")
    monkeypatch.setenv("gcWaitTime", "30")
    found = _settings(conf, ["gcWaitTime=300"])
    assert (found.bookie_port, found.zk_timeout_ms, found.gc_wait_time_ms) == (1, 20, 300)


def test_a_wrong_key_is_named() -> None:
    with pytest.raises(WrongSettingsError, match="bookiePort"):
        _settings(None, ["bookiePort=x"])


def test_a_configuration_that_names_no_store_ends_with_2() -> None:
    result = CliRunner().invoke(command, ["--set", "metadataServiceUri=etcd://x/y"])
    assert result.exit_code == 2
    assert "metadataServiceUri" in result.output


def test_sync_off_is_said_loudly() -> None:
    result = CliRunner().invoke(
        command, ["--set", "journalSyncData=false", "--set", "metadataServiceUri=x"]
    )
    assert "loses acknowledged entries" in result.output


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    base = [sys.executable, "-m", "magnetar_cli"]
    url = f"sqlite:{tmp_path / 'metadata'}"
    subprocess.run([*base, "cluster", "init", "-md", url], check=True, capture_output=True)
    return tmp_path


@pytest.fixture
def bookie(cluster: Path) -> Iterator[subprocess.Popen[str]]:
    process = start(cluster)
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def start(cluster: Path) -> "subprocess.Popen[str]":
    conf = cluster / "bookkeeper.conf"
    conf.write_text(
        f"""
bookiePort=0
metadataServiceUri=sqlite:{cluster / "metadata"}
journalDirectories={cluster / "journal"}
ledgerDirectories={cluster / "ledgers"}
journalMaxSizeMB=1
minUsableSizeForEntryLogCreation=1
diskUsageThreshold=0.999
diskUsageWarnThreshold=0.998
"""
    )
    return subprocess.Popen(
        [sys.executable, "-m", "magnetar_cli", "bookie", "--config", str(conf), "-o", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_bookie_says_where_it_is_and_ends_cleanly(
    cluster: Path, bookie: "subprocess.Popen[str]"
) -> None:
    assert bookie.stdout is not None
    facts = json.loads(bookie.stdout.readline())
    assert facts["ready"] is True
    assert facts["listening"][0].startswith("127.0.0.1:")
    other = start(cluster)
    _, errors = other.communicate(timeout=20)
    assert other.returncode == 3, errors
    bookie.send_signal(signal.SIGTERM)
    _, errors = bookie.communicate(timeout=20)
    assert (bookie.returncode, errors) == (0, "")
