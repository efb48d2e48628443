"""The front door: help without loading the services, and a quick answer."""

import subprocess
import sys

from click.testing import CliRunner
from magnetar_cli.main import COMMANDS, cli


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    for name, (_, text) in COMMANDS.items():
        assert name in result.output
        assert text.split()[0] in result.output


def test_every_command_can_be_loaded() -> None:
    for name in COMMANDS:
        result = CliRunner().invoke(cli, [name, "--help"])
        assert result.exit_code == 0, result.output


def test_an_unknown_command_is_wrong_usage() -> None:
    result = CliRunner().invoke(cli, ["stand-alone"])
    assert result.exit_code == 2
    assert "stand-alone" in result.output


def test_help_loads_none_of_the_services() -> None:
    heavy = ["aiohttp", "uvloop", "lmdb", "google.protobuf", "magnetar_broker.service", "asyncio"]
    script = (
        "import sys, magnetar_cli.main as m\n"
        "try: m.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"sys.exit(','.join(n for n in {heavy!r} if n in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
