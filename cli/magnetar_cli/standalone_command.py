"""`magnetar standalone`: options in, a running broker, an exit code out."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.conf import from_assignments, from_environment, load, read_conf
from magnetar_runtime.conf import warn_of_unknown as warn_of_unknown_keys
from magnetar_runtime.errors import ConfError, DirectoryLockedError
from magnetar_runtime.logging import setup_logging
from magnetar_runtime.settings import StandaloneSettings

from magnetar_cli.collector import imports_for_good
from magnetar_cli.exits import DirectoryInUseError, WrongSettingsError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default="./data",
    help="Where messages and metadata are kept.",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A standalone.conf or broker.conf of Pulsar.",
)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="One key of it.")
@click.option("--port", type=click.IntRange(0, 65535), help="Binary protocol; 0 picks one. [6650]")
@click.option("--http-port", type=click.IntRange(0, 65535), help="HTTP; 0 picks one. [8080]")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    help="Form of the readiness line and of the log.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="warning",
    show_default=True,
)
def command(
    data_dir: Path,
    config_file: Path | None,
    assignments: Sequence[str],
    port: int | None,
    http_port: int | None,
    output: str,
    log_level: str,
) -> None:
    """Run a whole Pulsar-compatible broker in one process.

    Every acknowledged message is on disk. Keys of Pulsar's configuration are taken from --config,
    the environment (bare or with PULSAR_PREFIX_) and --set; the later one counts.

    Ends with 0 after SIGTERM or SIGINT (a second one kills it), 1 if it cannot go on, 2 if the
    configuration is wrong, 3 if another process uses the data directory, 4 if the disk failed or is
    full; what was acknowledged until then is kept.
    """
    began_ns = SystemClock().monotonic_ns()
    setup_logging(log_level.upper(), json=output == "json")
    settings = _settings(config_file, assignments, port, http_port)

    # Imports of the services take longer than all the rest of a wrong command line.
    with imports_for_good():
        from magnetar_cli.serve import run_standalone

    def ready(line: str, facts: dict[str, Any]) -> None:
        click.echo(json.dumps(facts) if output == "json" else line)

    try:
        run_standalone(settings, data_dir, began_ns, ready)
    except DirectoryLockedError as error:
        raise DirectoryInUseError(str(error)) from error


def _settings(
    config_file: Path | None, assignments: Sequence[str], port: int | None, http_port: int | None
) -> StandaloneSettings:
    values: dict[str, str] = {}
    try:
        if config_file is not None:
            values.update(read_conf(config_file.read_text()))
        values.update(from_environment(StandaloneSettings, os.environ))
        values.update(from_assignments(assignments))
        if port is not None:
            values["brokerServicePort"] = str(port)
        if http_port is not None:
            values["webServicePort"] = str(http_port)
        settings, unknown = load(StandaloneSettings, values)
    except (ConfError, UnicodeDecodeError, OSError) as error:
        raise WrongSettingsError(str(error)) from error
    warn_of_unknown_keys(unknown)
    if not settings.journal_sync_data:
        click.echo(
            "WARNING: journalSyncData=false: nothing is synced to disk, "
            "a power cut loses acknowledged messages",
            err=True,
        )
    return settings
