"""Each way to end has its own exit code, as the help text says."""

import click
import pytest
from click.testing import CliRunner
from magnetar_cli import exits


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (exits.CommandFailedError, 1),
        (exits.WrongSettingsError, 2),
        (exits.DirectoryInUseError, 3),
        (exits.DiskFailedError, 4),
    ],
)
def test_a_command_ends_with_one_line_and_its_code(
    error: type[exits.CommandFailedError], code: int
) -> None:
    @click.command()
    def command() -> None:
        raise error("what happened")

    result = CliRunner().invoke(command)
    assert result.exit_code == code
    assert result.output == "Error: what happened\n"
