"""What the commands that run a service share: options, settings, the readiness line."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from magnetar_runtime.conf import from_assignments, from_environment, load, read_conf
from magnetar_runtime.conf import warn_of_unknown as warn_of_unknown_keys
from magnetar_runtime.errors import ConfError

from magnetar_cli.exits import WrongSettingsError

SettingsT = TypeVar("SettingsT")


def config_options(
    file_help: str, *more: Callable[..., Any]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--config`, `--set`, `more`, `--output` and `--log-level` of a service.

    Args:
        file_help: what file `--config` takes.
        more: options of this service alone.
    """
    options = (
        click.option(
            "--config",
            "config_file",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help=file_help,
        ),
        click.option(
            "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="One key of it."
        ),
        *more,
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

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        return with_options(command, options)

    return decorate


def with_options(
    command: Callable[..., Any], options: Sequence[Callable[..., Any]]
) -> Callable[..., Any]:
    """A command with these options, told by `--help` in this order."""
    for option in reversed(options):
        command = option(command)
    return command


def read_settings(
    kind: type[SettingsT],
    config_file: Path | None,
    assignments: Sequence[str],
    last: Mapping[str, str] | None = None,
) -> SettingsT:
    """The settings of the file, the environment, `--set` and `last`; the later one counts. Warns
    of keys that nobody knows.

    Raises:
        WrongSettingsError
    """
    settings, unknown = load_settings(kind, config_file, assignments, last)
    warn_of_unknown_keys(unknown)
    return settings


def load_settings(
    kind: type[SettingsT],
    config_file: Path | None,
    assignments: Sequence[str],
    last: Mapping[str, str] | None = None,
) -> tuple[SettingsT, list[str]]:
    """As `read_settings`, with the keys that `kind` does not know.

    Raises:
        WrongSettingsError
    """
    values: dict[str, str] = {}
    try:
        if config_file is not None:
            values.update(read_conf(config_file.read_text()))
        values.update(from_environment(kind, os.environ))
        values.update(from_assignments(assignments))
        values.update(last or {})
        return load(kind, values)
    except (ConfError, UnicodeDecodeError, OSError) as error:
        raise WrongSettingsError(str(error)) from error


def readiness_teller(output: str) -> Callable[[str, dict[str, Any]], None]:
    """What says that the service is ready, in the form of `--output`."""

    def ready(line: str, facts: dict[str, Any]) -> None:
        click.echo(json.dumps(facts) if output == "json" else line)

    return ready
