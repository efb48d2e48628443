"""Groups whose commands are imported when they are run."""

import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from magnetar_cli.bookie_command import COMMANDS as BOOKIE
from magnetar_cli.lazy_group import lazy_group
from magnetar_cli.ledger_command import COMMANDS as LEDGER
from magnetar_cli.main import cli


def test_lazy_and_other_commands_stand_in_one_list() -> None:
    name = "magnetar_cli.collector"
    sys.modules.pop(name, None)
    group = lazy_group({"b-lazy": (name, "Not imported.")})("all")
    group.add_command(click.Command("a-ready", help="Is there."))
    result = CliRunner().invoke(group, ["--help"])
    assert [line.split() for line in result.output.splitlines()[-2:]] == [
        ["a-ready", "Is", "there."],
        ["b-lazy", "Not", "imported."],
    ]
    assert name not in sys.modules
    assert CliRunner().invoke(group, ["c-none"]).exit_code == 2


def test_every_command_of_the_groups_can_be_loaded() -> None:
    for group, commands in (("bookie", BOOKIE), ("ledger", LEDGER)):
        for name in commands:
            result = CliRunner().invoke(cli, [group, name, "--help"])
            assert result.exit_code == 0, result.output
            assert result.output.startswith("Usage: cli " + group)


def test_an_interrupt_ends_a_command_as_a_shell_says_it() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    group = lazy_group({})("all")
    group.add_command(click.Command("wait", callback=interrupted))
    result = CliRunner().invoke(group, ["wait"])
    assert (result.exit_code, result.output) == (130, "\n")


def test_a_library_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_more.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    group = lazy_group({"serve": ("needs_more", "Serves.")})("all")
    result = CliRunner().invoke(group, ["serve"])
    assert result.exit_code == 1
    assert result.output == (
        "Error: all serve needs the library no_such_library: pip install 'magnetar[server]'\n"
    )
