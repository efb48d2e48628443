"""Groups whose commands are imported when they are run."""

import sys

import click
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
