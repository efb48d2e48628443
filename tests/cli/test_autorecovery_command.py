"""`magnetar autorecovery`: the command line, the process, its exits."""

import signal
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner
from magnetar_cli.autorecovery_command import command


def test_a_configuration_that_names_no_store_ends_with_2() -> None:
    result = CliRunner().invoke(command, ["--set", "metadataServiceUri=etcd://x/y"])
    assert result.exit_code == 2
    assert "metadataServiceUri" in result.output


def test_a_store_that_is_not_there_ends_with_1(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--set", f"metadataServiceUri=sqlite:{tmp_path}"])
    assert result.exit_code == 1
    assert "cannot start" in result.output


def test_it_says_when_it_is_ready_and_ends_on_a_signal(tmp_path: Path) -> None:
    base = [sys.executable, "-m", "magnetar_cli"]
    url = f"sqlite:{tmp_path / 'metadata'}"
    subprocess.run([*base, "cluster", "init", "-md", url], check=True, capture_output=True)
    conf = tmp_path / "bookkeeper.conf"
    conf.write_text(f"metadataServiceUri={url}\nbookieId=me\n")
    process = subprocess.Popen(
        [*base, "autorecovery", "--config", str(conf)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("magnetar autorecovery ready in "), line
        assert "auto-recovery in me" in line
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
    finally:
        process.kill()
        process.communicate()
