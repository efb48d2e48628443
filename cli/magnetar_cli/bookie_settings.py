"""What the commands that read a bookkeeper.conf share: their options, and the settings."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from magnetar_runtime.conf import from_assignments, from_environment, load, read_conf
from magnetar_runtime.conf import warn_of_unknown as warn_of_unknown_keys
from magnetar_runtime.errors import ConfError
from magnetar_runtime.settings_bookie import BookieServiceSettings

from magnetar_cli.exits import WrongSettingsError

_OPTIONS = (
    click.option(
        "--config",
        "config_file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A bookkeeper.conf.",
    ),
    click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="One key of it."),
    click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        help="Form of the readiness line and of the log.",
    ),
    click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="warning",
        show_default=True,
    ),
)


def config_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--config`, `--set`, `--output` and `--log-level` of a service."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_bookie_settings(
    config_file: Path | None, assignments: Sequence[str]
) -> BookieServiceSettings:
    """The settings of the file, the environment and `--set`; the later one counts.

    Raises:
        WrongSettingsError
    """
    values: dict[str, str] = {}
    try:
        if config_file is not None:
            values.update(read_conf(config_file.read_text()))
        values.update(from_environment(BookieServiceSettings, os.environ))
        values.update(from_assignments(assignments))
        settings, unknown = load(BookieServiceSettings, values)
    except (ConfError, UnicodeDecodeError, OSError) as error:
        raise WrongSettingsError(str(error)) from error
    warn_of_unknown_keys(unknown)
    return settings
