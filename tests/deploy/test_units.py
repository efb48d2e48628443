"""The systemd units: what systemd says of them, and that the command takes what they start."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.servers import magnetar_command
from tests.deploy.dry_run import DEPLOY, DryRun

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
INSTALLED = "/opt/magnetar/bin/magnetar"
EXPOSURE_TENTHS = 20
"""At most, of 100; 10.0 is what a unit without any rule has."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze"
)


def service_of(unit: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(unit)
    return dict(parser["Service"])


def analyze(*arguments: str) -> str:
    done = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
@needs_systemd
def test_systemd_understands_every_line(unit: Path, tmp_path: Path) -> None:
    [command] = magnetar_command()
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace(INSTALLED, command))
    assert analyze("verify", "--man=no", str(copy)) == ""


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
@needs_systemd
def test_little_is_left_to_attack(unit: Path) -> None:
    said = analyze("security", "--offline=true", f"--threshold={EXPOSURE_TENTHS}", str(unit))
    print(said.splitlines()[-1])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_command_takes_what_is_started(unit: Path, dry_run: DryRun) -> None:
    service = service_of(unit)
    program, *arguments = service["ExecStart"].split()
    assert program == INSTALLED
    dry_run(arguments, {})
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) > 0


def test_data_is_where_the_sample_says(dry_run: DryRun) -> None:
    service = service_of(DEPLOY / "systemd" / "magnetar-bookie.service")
    settings = dry_run(service["ExecStart"].split()[1:], {})
    for directory in (settings.journal_directories, settings.ledger_directories):
        assert directory.startswith(f"/var/lib/{service['StateDirectory']}/")


def test_a_broker_sees_how_busy_its_machine_is() -> None:
    """Without /proc/stat and /proc/net bundles would move by the load average alone."""
    assert "ProcSubset" not in service_of(DEPLOY / "systemd" / "magnetar-broker.service")
