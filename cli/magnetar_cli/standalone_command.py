"""`magnetar standalone`: options in, a running broker, an exit code out."""

from collections.abc import Sequence
from pathlib import Path

import click
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.errors import DirectoryLockedError
from magnetar_runtime.logging import setup_logging
from magnetar_runtime.settings import StandaloneSettings

from magnetar_cli.collector import imports_for_good
from magnetar_cli.exits import DirectoryInUseError
from magnetar_cli.service_options import config_options, read_settings, readiness_teller


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default="./data",
    help="Where messages and metadata are kept.",
)
@config_options(
    "A standalone.conf or broker.conf of Pulsar.",
    click.option(
        "--port", type=click.IntRange(0, 65535), help="Binary protocol; 0 picks one. [6650]"
    ),
    click.option("--http-port", type=click.IntRange(0, 65535), help="HTTP; 0 picks one. [8080]"),
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

    try:
        run_standalone(settings, data_dir, began_ns, readiness_teller(output))
    except DirectoryLockedError as error:
        raise DirectoryInUseError(str(error)) from error


def _settings(
    config_file: Path | None, assignments: Sequence[str], port: int | None, http_port: int | None
) -> StandaloneSettings:
    ports = {"brokerServicePort": port, "webServicePort": http_port}
    given = {key: str(value) for key, value in ports.items() if value is not None}
    settings = read_settings(StandaloneSettings, config_file, assignments, given)
    if not settings.journal_sync_data:
        click.echo(
            "WARNING: journalSyncData=false: nothing is synced to disk, "
            "a power cut loses acknowledged messages",
            err=True,
        )
    return settings
